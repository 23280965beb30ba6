"""Trackers of experiments: what they get of a training, and what is said where they are missing."""

import os
import signal
import sys

import pytest

from rcae.base.extras import install_command
from rcae.detector.run.run_folder import RunFolder
from rcae.integrations.tracking import figures_of, settings_of
from tests.conftest import TINY

OPTIONS = [word for value in TINY for word in ("--set", value)]


def test_settings_and_figures_of_a_run_have_flat_names(finished_run):
    folder = RunFolder(finished_run)
    assert settings_of(folder)["model.recursion_depth"] == "2"
    figures = figures_of(folder)
    assert figures["calibration.threshold"] == folder.read_record()["calibration"]["threshold"]
    assert figures["timings_s.training"] >= 0
    assert "evidence.map" in figures


@pytest.mark.parametrize(
    ("tracker", "title"), [("tensorboard", "TensorBoard"), ("mlflow", "MLflow")]
)
def test_a_missing_tracker_is_named_before_anything_is_read(
    tracker, title, rcae, parts, tmp_path, monkeypatch
):
    monkeypatch.setattr("rcae.base.extras.find_spec", lambda name: None if name == tracker else 1)
    monkeypatch.delitem(sys.modules, f"rcae.integrations.{tracker}", raising=False)
    code, _, err = rcae("train", parts, "-o", tmp_path / "run", "--log", tracker)
    assert (code, err.count("\n")) == (2, 1)
    assert f"--log {tracker} needs {title}; run: {install_command(tracker)}" in err
    assert not (tmp_path / "run").exists()


def test_tensorboard_gets_every_loss_the_figures_and_the_pictures(
    rcae, parts, finished_run, tmp_path
):
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    run = tmp_path / "run"
    code, _, err = rcae("train", parts, "-o", run, "--log", "tensorboard", *OPTIONS)
    assert code == 0, err
    events = EventAccumulator(str(run / "tensorboard")).Reload()
    logged = [
        (stage, one.step, one.value)
        for stage in ("reconstruction", "detail", "detection")
        for one in events.Scalars(f"loss/{stage}")
    ]
    rows = [line.split(",") for line in (run / "losses.csv").read_text().splitlines()[1:]]
    assert [(stage, step) for stage, step, _ in logged] == [(s, int(n)) for s, n, _ in rows]
    assert [loss for *_, loss in logged] == pytest.approx([float(loss) for *_, loss in rows])
    threshold = RunFolder(run).read_record()["calibration"]["threshold"]
    assert events.Scalars("calibration/threshold")[0].value == pytest.approx(threshold)
    assert {"recursion/good-1", "recursion/painted-1"} <= set(events.Tags()["images"])
    assert (run / "model.safetensors").read_bytes() == (
        finished_run / "model.safetensors"
    ).read_bytes()


@pytest.fixture
def mlflow(monkeypatch, tmp_path):
    pytest.importorskip("mlflow")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path / 'mlflow.db'}")
    monkeypatch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
    monkeypatch.chdir(tmp_path)
    import mlflow

    mlflow.set_tracking_uri(None)
    return mlflow


@pytest.mark.filterwarnings("ignore")  # those of MLflow
def test_mlflow_gets_losses_settings_pictures_and_a_model_that_predicts(
    rcae, mlflow, parts, tmp_path
):
    import pandas as pd

    from rcae.detector.detector import Detector

    run = tmp_path / "run"
    code, _, err = rcae("train", parts, "-o", run, "--log", "mlflow", *OPTIONS)
    assert code == 0, err
    client = mlflow.MlflowClient()
    (logged,) = client.search_runs(["0"])
    assert (logged.info.run_name, logged.info.status) == ("run", "FINISHED")
    assert logged.data.params["model.recursion_depth"] == "2"
    history = client.get_metric_history(logged.info.run_id, "loss/detection")
    rows = [line.split(",") for line in (run / "losses.csv").read_text().splitlines()[1:]]
    expected = [(int(n), float(loss)) for stage, n, loss in rows if stage == "detection"]
    assert [(one.step, one.value) for one in history] == expected
    assert "calibration.threshold" in logged.data.metrics
    kept = {file.path for file in client.list_artifacts(logged.info.run_id, "recursion")}
    assert "recursion/good-1.png" in kept
    model = mlflow.pyfunc.load_model(f"runs:/{logged.info.run_id}/model")
    paths = [str(file) for file in sorted((parts / "test" / "scratch").iterdir())]
    said, ours = model.predict(pd.DataFrame({"image_path": paths})), Detector.load(run)
    assert said["anomaly_score"].tolist() == [ours.predict(path).anomaly_score for path in paths]
    assert said["is_defective"].all()


@pytest.mark.filterwarnings("ignore")
def test_a_run_of_mlflow_that_is_active_becomes_the_parent_and_goes_on(
    mlflow, finished_run, tmp_path
):
    from rcae.integrations.tracking import tracked

    with mlflow.start_run() as study:
        with tracked("mlflow") as observer:
            observer.begun(RunFolder(finished_run))
            observer.step("detail", 1, 0.5)
        assert mlflow.active_run().info.run_id == study.info.run_id
    (logged,) = mlflow.MlflowClient().search_runs(["0"], "tags.category = 'parts'")
    assert logged.data.tags["mlflow.parentRunId"] == study.info.run_id
    assert logged.data.metrics == {"loss/detail": 0.5}


@pytest.mark.filterwarnings("ignore")
def test_an_interrupted_training_is_killed_in_mlflow_and_keeps_its_losses(
    mlflow, parts, tmp_path, monkeypatch
):
    from rcae.base.errors import InterruptedTrainingError
    from rcae.integrations.tracking import tracked
    from rcae.training.request import Request
    from rcae.training.trainer import train

    class Stopping:
        def begun(self, folder):
            pass

        def step(self, stage, step, loss):
            if stage == "detail":
                os.kill(os.getpid(), signal.SIGINT)

        def finished(self, folder):
            raise AssertionError

    with pytest.raises(InterruptedTrainingError), tracked("mlflow") as observer:
        train(parts, tmp_path / "run", Request(values=TINY), observers=(observer, Stopping()))
    client = mlflow.MlflowClient()
    (logged,) = client.search_runs(["0"])
    assert logged.info.status == "KILLED"
    assert len(client.get_metric_history(logged.info.run_id, "loss/reconstruction")) == 3
