import csv
import shutil

import pytest

from rcae.base.errors import InterruptedTrainingError, RcaeError, SettingsError, UsageError
from rcae.detector.detector import Detector
from rcae.many import models
from rcae.many.cluster import Needs
from rcae.many.commands import Ended
from rcae.many.job import JobFolder, run_job
from rcae.many.models import train_many
from tests.conftest import TINY, draw_part


@pytest.fixture
def here(monkeypatch):
    """Jobs run in this process, which spares the start of others; the list gets their names."""
    started = []

    def run_here(commands, needs, address):
        for command in commands:
            started.append(command.log.parent.name)
            try:
                run_job(JobFolder(command.log.parent))
                yield command, Ended(0, "")
            except RcaeError as error:
                yield command, Ended(error.exit_code, str(error))

    monkeypatch.setattr(models, "run_commands", run_here)
    return started


@pytest.fixture(scope="module")
def few(tmp_path_factory):
    """A category with too few images."""
    import numpy as np
    from PIL import Image

    root = tmp_path_factory.mktemp("data") / "few"
    (root / "good").mkdir(parents=True)
    for number in range(2):
        pixels = draw_part(np.random.default_rng(number))
        Image.fromarray(pixels).save(root / "good" / f"{number}.png")
    return root


def table(output):
    with (output / "models.csv").open(newline="", encoding="utf-8") as rows:
        return list(csv.DictReader(rows))


def test_each_category_and_seed_has_its_model_and_a_failed_one_stops_no_other(
    here, parts, few, tmp_path
):
    output = tmp_path / "models"
    train_many([few, parts], [0, 1], output, values=TINY, needs=Needs())
    rows = table(output)
    assert [(row["category"], row["seed"], row["state"]) for row in rows] == [
        ("few", "0", "failed"),
        ("few", "1", "failed"),
        ("parts", "0", "trained"),
        ("parts", "1", "trained"),
    ]
    assert "has 2 good training images" in rows[0]["reason"]
    thresholds = set()
    for row in rows[2:]:
        detector = Detector.load(output / "parts" / f"seed-{row['seed']}")
        assert detector.settings.seed == int(row["seed"])
        assert float(row["threshold"]) == detector.calibration.threshold
        assert 0 <= float(row["image_auroc"]) <= 1
        thresholds.add(row["threshold"])
    assert len(thresholds) == 2
    page = (output / "models.html").read_text(encoding="utf-8")
    assert "2 of 4 models are trained, 2 failed" in page
    assert page.index("has 2 good training images") < page.index("parts/seed-0/evaluation")

    here.clear()
    shutil.copytree(parts / "train" / "good", few / "good", dirs_exist_ok=True)
    train_many([few], [0], output, values=TINY, needs=Needs())
    train_many([parts], [0, 1], output, values=TINY, needs=Needs())
    assert here == ["few-seed-0"]
    mended = Detector.load(output / "few" / "seed-0")
    assert mended.header.provenance["training_images"] == 14
    assert [row["state"] for row in table(output)] == ["trained", "trained"]

    with pytest.raises(UsageError, match="was begun with other options"):
        train_many([parts], [0], output, values=TINY[:-1], needs=Needs())


def test_an_interrupted_training_is_resumed(here, parts, tmp_path, monkeypatch):
    from rcae.training import trainer

    resumed = []

    def train(data, run, request, *, resume):
        resumed.append(resume)
        (run / "settings.toml").parent.mkdir(parents=True, exist_ok=True)
        (run / "settings.toml").touch()
        raise InterruptedTrainingError("stopped")

    monkeypatch.setattr(trainer, "train", train)
    for _ in range(2):
        (outcome,) = train_many([parts], [0], tmp_path / "models", values=TINY, needs=Needs())
        assert (outcome.state, outcome.reason) == ("failed", "stopped")
    assert resumed == [False, True]


def test_wrong_settings_and_equal_names_are_refused_before_anything_starts(here, parts, tmp_path):
    with pytest.raises(SettingsError, match="is not a setting"):
        train_many([parts], [0], tmp_path / "models", values=["a.b=1"], needs=Needs())
    with pytest.raises(UsageError, match="have the same name"):
        train_many([parts, parts], [0], tmp_path / "models", needs=Needs())
    assert not (tmp_path / "models").exists()
    assert here == []


def test_the_command_trains_in_processes_and_names_failed_models(rcae, few, tmp_path):
    data = tmp_path / "few"
    (data / "good").mkdir(parents=True)
    shutil.copy(few / "good" / "0.png", data / "good")
    code, out, error = rcae("train-many", data, "-o", tmp_path / "models", "--cpus", 1)
    assert code == 1
    assert out.startswith("0 of 1 models")
    assert "1 models failed (few with seed 0)" in error
    assert "has 1 good training image" in table(tmp_path / "models")[0]["reason"]
