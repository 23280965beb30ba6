import json
import shutil
import signal
import subprocess
import sys
import time
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

import rcae
from rcae.base.duration import seconds_of
from rcae.base.errors import (
    DataError,
    InterruptedTrainingError,
    StorageError,
    TrainingError,
    UsageError,
)
from rcae.base.settings import load_settings
from rcae.data.images import read_image
from rcae.detector.run.checkpoint import load_model
from rcae.detector.run.run_folder import RunFolder
from rcae.training import loop, plan, trainer
from rcae.training import session as session_module
from rcae.training.session import Session
from rcae.training.state import restore_optimizer
from tests.conftest import TINY


def weights(run):
    return load_file(run / "model.safetensors")


def assert_equal_weights(first, second):
    first, second = weights(first), weights(second)
    assert first.keys() == second.keys()
    for name in first:
        assert torch.equal(first[name], second[name]), name


def stop_after(monkeypatch, count, error):
    """Raise `error` after the count-th step of a training, between two updates."""
    steps = []
    original = Session.after_step

    def after_step(self, done, loss):
        steps.append(loss)
        if len(steps) == count:
            if error is InterruptedTrainingError:
                self._asked_to_stop = lambda: True
            else:
                raise error
        original(self, done, loss)

    monkeypatch.setattr(Session, "after_step", after_step)


def test_the_same_seed_gives_the_same_weights_and_another_seed_others(
    parts, finished_run, other_run, tmp_path
):
    rcae.train(parts, tmp_path / "again", set=TINY)
    assert_equal_weights(finished_run, tmp_path / "again")
    name = "reconstruction.lift.weight"
    assert not torch.equal(weights(finished_run)[name], weights(other_run)[name])


def trained_on(parts, run):
    """The images that a run trained on, as the networks see them."""
    rows = [line.split(",") for line in RunFolder(run).data.read_text().splitlines()]
    role, path = rows[0].index("role"), rows[0].index("path")
    view = load_model(RunFolder(run).model).header.working_view
    return [
        view.of(read_image(parts / row[path])) for row in rows[1:] if row[role] != "calibration"
    ]


def test_the_ground_is_the_mean_colour_at_the_edge_of_the_images_trained_on(parts, finished_run):
    colours = []
    for image in trained_on(parts, finished_run):
        sides = [np.rot90(image, turn)[0] for turn in range(4)]
        colours.append(np.concatenate(sides).mean(axis=0))
    ground = weights(finished_run)["ground"][:, 0, 0]
    assert ground.tolist() == pytest.approx(np.mean(colours, axis=0).tolist(), abs=1e-5)


@pytest.mark.parametrize("count", range(1, 9))
def test_a_run_stopped_on_request_and_resumed_equals_an_uninterrupted_one(
    parts, finished_run, tmp_path, monkeypatch, count
):
    with monkeypatch.context() as patch:
        stop_after(patch, count, InterruptedTrainingError)
        with pytest.raises(InterruptedTrainingError, match="--resume"):
            rcae.train(parts, tmp_path / "run", set=TINY)
    assert not (tmp_path / "run" / "model.safetensors").exists()
    rcae.train(parts, tmp_path / "run", resume=True)
    assert_equal_weights(finished_run, tmp_path / "run")
    for name in ("losses.csv", "settings.toml", "data.csv"):
        assert (tmp_path / "run" / name).read_bytes() == (finished_run / name).read_bytes()


def test_a_run_in_bf16_stopped_and_resumed_equals_an_uninterrupted_one_and_not_that_in_fp32(
    parts, finished_run, tmp_path, monkeypatch
):
    whole, run = tmp_path / "whole", tmp_path / "run"
    values = [*TINY, "training.precision=bf16"]
    rcae.train(parts, whole, set=values)
    with monkeypatch.context() as patch:
        stop_after(patch, 4, InterruptedTrainingError)
        with pytest.raises(InterruptedTrainingError):
            rcae.train(parts, run, set=values)
    rcae.train(parts, run, resume=True)
    assert_equal_weights(whole, run)
    name = "detection.network.head.weight"
    assert not torch.equal(weights(whole)[name], weights(finished_run)[name])
    loaded = load_model(run / "model.safetensors").system.state_dict()
    assert {tensor.dtype for tensor in loaded.values()} == {torch.float32, torch.int64}
    # No weight is one that half precision would hold, as it would be if bf16 had rounded it.
    assert weights(run)[name].dtype == torch.float32


@pytest.mark.parametrize("save_every_s", [0.0, 1e9])
def test_a_run_that_dies_between_two_saves_resumes_from_the_last_one(
    parts, finished_run, tmp_path, monkeypatch, save_every_s
):
    monkeypatch.setattr(session_module, "SAVE_EVERY_S", save_every_s)
    with monkeypatch.context() as patch:
        stop_after(patch, 5, MemoryError)
        with pytest.raises(MemoryError):
            rcae.train(parts, tmp_path / "run", set=TINY)
    rcae.train(parts, tmp_path / "run", resume=True)
    assert_equal_weights(finished_run, tmp_path / "run")


def test_a_disk_that_fills_up_stops_the_run_and_a_resumed_one_is_the_same(
    parts, finished_run, tmp_path, monkeypatch
):
    monkeypatch.setattr(session_module, "SAVE_EVERY_S", 0.0)
    with monkeypatch.context() as patch:
        saves = []

        def full(path, *_):
            saves.append(path)
            if len(saves) == 4:
                raise StorageError("no space")
            return save(path, *_)

        save = session_module.save_state
        patch.setattr(session_module, "save_state", full)
        with pytest.raises(StorageError):
            rcae.train(parts, tmp_path / "run", set=TINY)
    rcae.train(parts, tmp_path / "run", resume=True)
    assert_equal_weights(finished_run, tmp_path / "run")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_is_honoured_between_two_steps(parts, finished_run, tmp_path, monkeypatch, number):
    step = loop.train_step
    steps = []

    def signalled_in_the_middle(*arguments):
        steps.append(1)
        if len(steps) == 12:  # nine steps measure the speed, then the third of the training
            signal.raise_signal(number)
        return step(*arguments)

    handler = signal.getsignal(number)
    with monkeypatch.context() as patch:
        patch.setattr(loop, "train_step", signalled_in_the_middle)
        patch.setattr(plan, "train_step", signalled_in_the_middle)
        with pytest.raises(InterruptedTrainingError):
            rcae.train(parts, tmp_path / "run", set=TINY)
    assert signal.getsignal(number) == handler
    rcae.train(parts, tmp_path / "run", resume=True)
    assert_equal_weights(finished_run, tmp_path / "run")


def test_a_killed_process_loses_nothing_that_resuming_needs(parts, finished_run, tmp_path):
    run = tmp_path / "run"
    program = (
        "import rcae, sys; from rcae.training import session; session.SAVE_EVERY_S = 0.0;"
        "rcae.train(sys.argv[1], sys.argv[2], set=sys.argv[3:])"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", program, str(parts), str(run), *TINY],
        stderr=subprocess.DEVNULL,
    )
    while not (run / "training-state.safetensors").exists() and process.poll() is None:
        time.sleep(0.001)
    process.kill()
    assert process.wait() == -signal.SIGKILL
    assert not (run / "model.safetensors").exists()
    rcae.train(parts, run, resume=True)
    assert_equal_weights(finished_run, run)


def test_a_run_is_repeated_by_its_own_settings_file(parts, finished_run, tmp_path):
    rcae.train(parts, tmp_path / "run", config=finished_run / "settings.toml")
    assert_equal_weights(finished_run, tmp_path / "run")


def test_a_budget_is_turned_into_steps_that_are_written_down(parts, tmp_path, monkeypatch):
    seconds = {"reconstruction": 1.0, "detail": 0.5, "detection": 2.0}
    monkeypatch.setattr("rcae.training.plan.seconds_per_step", lambda *_, **__: seconds)
    monkeypatch.setattr("rcae.training.trainer.finishing_seconds", lambda *_: 3.0)
    monkeypatch.setattr("rcae.training.trainer.time", SimpleNamespace(perf_counter=lambda: 100.0))
    shares = [
        f"training.{stage}.time_share={share}"
        for stage, share in (("reconstruction", 0.3), ("detail", 0.1), ("detection", 0.6))
    ]
    rcae.train(parts, tmp_path / "run", set=[*TINY, *shares], budget=23.0)
    text = (tmp_path / "run" / "settings.toml").read_text()
    # 20 s are left: 30 % of it at 1 s, 10 % at 0.5 s, 60 % at 2 s a step.
    assert [line for line in text.splitlines() if line.startswith("steps")] == [
        "steps = 6",
        "steps = 4",
        "steps = 6",
    ]


def test_a_budget_too_small_for_one_step_is_refused_before_anything_is_written(
    parts, tmp_path, monkeypatch
):
    monkeypatch.setattr(plan, "MEASURING_S", 0.0)
    with pytest.raises(UsageError, match=r"the least that works .* is --budget "):
        rcae.train(parts, tmp_path / "run", set=TINY, budget=0.1)
    assert not (tmp_path / "run").exists()


def test_the_least_budget_that_a_refusal_names_is_enough():
    settings = load_settings("quick")
    seconds = {"reconstruction": 1.0, "detail": 0.5, "detection": 2.0}
    with pytest.raises(UsageError) as refusal:
        plan.steps_from_budget(settings, seconds, 10.0, other_s=30.0)
    named = str(refusal.value).rsplit("--budget ", 1)[1].rstrip(".")
    longest_measuring_s = 3 * plan.MEASURING_S
    steps = plan.steps_from_budget(
        settings, seconds, seconds_of(named), other_s=30.0 + longest_measuring_s
    )
    assert min(steps.values()) >= 1


@pytest.mark.parametrize("budget_s", [float("nan"), float("inf"), float("-inf"), -5.0, 1e300])
def test_a_budget_that_is_no_time_is_refused_before_anything_is_read(tmp_path, budget_s):
    with pytest.raises(UsageError, match="is not a time from 0 s to a year"):
        rcae.train(tmp_path / "nowhere", tmp_path / "run", budget=budget_s)


def test_a_model_that_lacks_a_network_announces_the_steps_of_the_others(parts, tmp_path, said):
    rcae.train(parts, tmp_path / "run", set=[*TINY, "model.detail_network=false"])
    assert "\n3 + 3 steps, ready in about " in said()


def test_held_out_images_are_never_drawn_for_training(parts, finished_run, monkeypatch, tmp_path):
    listed = [line.split(",") for line in (finished_run / "data.csv").read_text().splitlines()[1:]]
    roles = {path: role for role, path, _ in listed}
    assert sorted(roles.values()) == ["calibration"] * 4 + ["train"] * 12
    assert all(path.startswith("train/good/") for path in roles)


def test_the_run_folder_explains_itself(finished_run):
    present = {path.name for path in finished_run.iterdir()}
    assert present >= {
        "settings.toml",
        "run.json",
        "data.csv",
        "losses.csv",
        "losses.png",
        "samples",
        "model.safetensors",
    }
    assert "training-state.safetensors" not in present
    assert not [name for name in present if name.endswith(".part")]
    record = json.loads((finished_run / "run.json").read_text())
    assert record["seed"] == 0
    assert record["data"]["training_images"] == 12
    assert record["versions"].keys() >= {"rcae", "torch", "python"}
    assert record["timings_s"].keys() == {"training", "finishing"}
    lines = (finished_run / "losses.csv").read_text().splitlines()
    assert lines[0] == "stage,step,loss"
    assert len(lines) == 1 + 3 + 2 + 3
    assert len(list((finished_run / "samples").glob("*.png"))) == 6


def test_a_finished_run_is_not_trained_again(parts, finished_run, said):
    before = (finished_run / "model.safetensors").read_bytes()
    with pytest.raises(UsageError, match="already holds a finished run"):
        rcae.train(parts, finished_run, set=TINY)
    rcae.train(parts, finished_run, resume=True)
    assert "already finished" in said()
    assert (finished_run / "model.safetensors").read_bytes() == before


def test_a_folder_with_something_else_in_it_is_left_alone(parts, tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(UsageError, match="not an empty folder"):
        rcae.train(parts, tmp_path, set=TINY)


def test_a_start_killed_before_the_settings_were_written_can_be_started_again(
    parts, finished_run, tmp_path, monkeypatch
):
    with monkeypatch.context() as patch:
        patch.setattr(RunFolder, "write_settings", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            rcae.train(parts, tmp_path / "run", set=TINY)
    assert list((tmp_path / "run").iterdir())
    rcae.train(parts, tmp_path / "run", set=TINY)
    assert_equal_weights(finished_run, tmp_path / "run")


def test_a_second_training_in_the_same_folder_is_refused_and_disturbs_nothing(
    parts, finished_run, tmp_path, monkeypatch
):
    run, refusals = tmp_path / "run", []
    original = Session.after_step

    def after_step(self, done, loss):
        if not refusals:
            for resume in (False, True):  # as if the folder had been free a moment ago
                with monkeypatch.context() as patch:
                    patch.setattr(RunFolder, "require_free", lambda folder: None)
                    with pytest.raises(UsageError, match="another process is training in") as error:
                        rcae.train(parts, run, set=TINY, resume=resume)
                    refusals.append(error.value)
        original(self, done, loss)

    monkeypatch.setattr(Session, "after_step", after_step)
    rcae.train(parts, run, set=TINY)
    assert len(refusals) == 2
    assert_equal_weights(finished_run, run)
    assert not RunFolder(run).lock.exists()


def test_the_lock_of_a_killed_training_keeps_nobody_out(parts, finished_run, tmp_path):
    run = tmp_path / "run"
    run.mkdir()
    RunFolder(run).lock.touch()
    rcae.train(parts, run, set=TINY)
    assert_equal_weights(finished_run, run)


def test_a_run_that_another_process_finished_meanwhile_is_not_trained_again(
    parts, finished_run, tmp_path, monkeypatch, said
):
    run = tmp_path / "run"
    with monkeypatch.context() as patch:
        stop_after(patch, 1, InterruptedTrainingError)
        with pytest.raises(InterruptedTrainingError):
            rcae.train(parts, run, set=TINY)
    original = trainer.require_same_data

    def finished_meanwhile(listed, folder):
        original(listed, folder)
        shutil.copyfile(RunFolder(finished_run).model, folder.model)

    monkeypatch.setattr(trainer, "require_same_data", finished_meanwhile)
    rcae.train(parts, run, set=TINY, resume=True)
    assert "already finished" in said()
    assert RunFolder(run).state.exists()


def test_resuming_nothing_is_refused(parts, tmp_path):
    with pytest.raises(UsageError, match="holds no run"):
        rcae.train(parts, tmp_path / "nothing", resume=True)


def interrupted(parts, run, monkeypatch):
    with monkeypatch.context() as patch:
        stop_after(patch, 2, InterruptedTrainingError)
        with pytest.raises(InterruptedTrainingError):
            rcae.train(parts, run, set=TINY)


def test_resuming_with_other_options_is_refused_and_with_the_same_is_not(
    parts, tmp_path, monkeypatch
):
    interrupted(parts, tmp_path / "run", monkeypatch)
    with pytest.raises(UsageError, match="other options"):
        rcae.train(parts, tmp_path / "run", seed=3, resume=True)
    rcae.train(parts, tmp_path / "run", set=TINY, resume=True)


def test_resuming_on_other_images_is_refused(parts, tmp_path, monkeypatch):
    import shutil

    moved = tmp_path / "moved"
    shutil.copytree(parts, moved)
    interrupted(moved, tmp_path / "run", monkeypatch)
    image = moved / "train" / "good" / "000.png"
    image.write_bytes((moved / "test" / "good" / "000.png").read_bytes())
    with pytest.raises(DataError, match="not those that"):
        rcae.train(moved, tmp_path / "run", resume=True)


def test_a_loss_that_is_no_number_stops_the_run_with_advice(parts, tmp_path):
    with pytest.raises(TrainingError, match=r"lower training\.learning_rate"):
        rcae.train(
            parts,
            tmp_path / "run",
            set=[
                *TINY,
                "training.learning_rate=1.0",
                "training.schedule=constant",
                "training.gradient_clip=1e30",
                "training.reconstruction.steps=200",
            ],
        )


def test_the_cosine_schedule_starts_at_the_rate_and_falls_to_nearly_zero(tiny_settings):
    rates = [loop.learning_rate(tiny_settings, step, 100) for step in range(100)]
    assert rates[0] == tiny_settings.training.learning_rate
    assert rates[50] == pytest.approx(rates[0] / 2)
    assert rates == sorted(rates, reverse=True)
    assert rates[-1] < rates[0] / 1000


def test_moments_and_step_count_are_restored_to_the_device_of_the_weights():
    module = torch.nn.Linear(2, 1, device="meta")
    optimizer = torch.optim.Adam(module.parameters())
    saved = {"step": torch.tensor(3.0), "exp_avg": torch.ones(1, 2), "exp_avg_sq": torch.ones(1, 2)}
    restore_optimizer(
        optimizer, module, {f"optimizer.weight.{name}": value for name, value in saved.items()}
    )
    restored = optimizer.state[module.weight]
    assert {name: value.device.type for name, value in restored.items()} == dict.fromkeys(
        saved, "meta"
    )
