"""`rcae monitor`, as a user runs it."""

import json
import shutil

import numpy as np
import pytest

from rcae.base.errors import ImageError
from rcae.data.images import image_size
from rcae.detector.detector import Detector
from rcae.detector.predictions import Prediction


@pytest.fixture(scope="module")
def calibration(finished_run):
    return Detector.load(finished_run).calibration


def predicted(path, score, threshold):
    """The row of an image with this score; None: it is unreadable."""
    if score is None:
        return Prediction.unreadable(path, threshold, ImageError("broken"))
    return Prediction(
        path=path,
        threshold=threshold,
        anomaly_score=score,
        decision="defective" if score >= threshold else "good",
        regions=(),
        milliseconds=1.0,
        error=None,
    )


@pytest.fixture
def predictions(calibration, tmp_path):
    """Write a file of predictions with these scores; None is an unreadable image."""

    def write(scores, name="predictions.jsonl", threshold=calibration.threshold):
        rows = [
            predicted(f"new/{number:03d}.png", score, threshold)
            for number, score in enumerate(scores, start=1)
        ]
        (tmp_path / name).write_text("".join(row.to_json() + "\n" for row in rows))
        return tmp_path / name

    return write


@pytest.fixture(scope="module")
def as_calibrated(calibration):
    """Scores like those of calibration: between its lowest and highest, 40 of them."""
    low, high = calibration.scores[0], calibration.scores[-1]
    return np.random.default_rng(0).uniform(low, high, 40).tolist()


def test_what_predict_wrote_is_monitored_and_nothing_drifted(rcae, parts, finished_run, tmp_path):
    rcae("predict", finished_run, parts / "test" / "good", "-o", tmp_path / "out")
    file = tmp_path / "out" / "predictions.jsonl"
    code, out, err = rcae("monitor", finished_run, file, "-o", tmp_path / "drift")
    assert code == 0
    assert out.startswith("4 images, ")
    assert "no drift\n" in out
    assert "compared with 16 calibration images" in out
    assert str(tmp_path / "drift" / "drift.png") in err
    found = json.loads((tmp_path / "drift" / "drift.json").read_text())
    assert (found["verdict"], found["since"], found["image_count"]) == ("no drift", None, 4)


def test_drift_is_code_8_with_everything_written_and_the_image_named(
    rcae, finished_run, predictions, as_calibrated, tmp_path
):
    file = predictions([*as_calibrated, *[99.0] * 40])
    code, out, err = rcae("monitor", finished_run, file, "-o", tmp_path / "drift")
    assert code == 8
    since = "everything shifted up since about image 41 (new/041.png)"
    assert f"{since}, seen at image 4" in out
    assert "40 of the 40 images since then are rejected" in out
    assert "Check light, focus and camera" in out
    assert err.endswith(f"rcae: error: {since}.\n")
    found = json.loads((tmp_path / "drift" / "drift.json").read_text())
    assert found["since"] == {"number": 41, "path": "new/041.png"}
    assert 42 <= found["seen"]["number"] <= 60
    assert found["rejected_since"] == 40
    assert found["rejection_evidence_log10"] > found["alarm_evidence_log10"]
    assert image_size(tmp_path / "drift" / "drift.png") > (500, 1000)


def test_a_defect_in_three_images_is_told_from_a_shift(
    rcae, finished_run, predictions, as_calibrated
):
    scores = as_calibrated * 8
    scores[200::3] = [99.0] * len(scores[200::3])
    code, out, _ = rcae("monitor", finished_run, predictions(scores))
    assert code == 8
    assert "more defects since about image " in out
    assert "Look at the rejected images, and at the process." in out


def test_files_are_one_sequence_and_unreadable_images_are_counted_but_not_numbered(
    rcae, finished_run, predictions, as_calibrated
):
    before = predictions([*as_calibrated[:20], None, *as_calibrated[20:]], "monday.jsonl")
    after = predictions([None, *[99.0] * 40], "tuesday.jsonl")
    code, out, _ = rcae("monitor", finished_run, before, after)
    assert code == 8
    assert "80 images, " in out
    assert "2 more were unreadable" in out
    assert "since about image 41 (new/002.png)" in out


def test_rows_decided_with_another_threshold_are_decided_anew_and_that_is_said(
    rcae, finished_run, predictions, as_calibrated, calibration
):
    file = predictions(as_calibrated, threshold=calibration.scores[0])
    code, out, _ = rcae("monitor", finished_run, file)
    assert code == 0
    assert "40 images, 0 rejected" in out
    assert "40 images were inspected with another threshold" in out
    assert "another threshold" not in rcae("monitor", finished_run, predictions(as_calibrated))[1]


def test_a_lower_rate_asks_for_more_evidence(rcae, finished_run, predictions, as_calibrated):
    file = predictions([*as_calibrated, *[99.0] * 7])
    assert rcae("monitor", finished_run, file, "--false-alarm-rate", "0.1")[0] == 8
    assert rcae("monitor", finished_run, file, "--false-alarm-rate", "1e-9")[0] == 0


def test_a_model_file_alone_is_enough(rcae, finished_run, predictions, as_calibrated, tmp_path):
    model = shutil.copy(finished_run / "model.safetensors", tmp_path / "model.safetensors")
    assert rcae("monitor", model, predictions(as_calibrated))[0] == 0


def test_hostile_file_names_are_printed_without_control_characters(
    rcae, finished_run, tmp_path, calibration
):
    row = predicted("\x1b[31m\nred.png", 99.0, calibration.threshold)
    (tmp_path / "p.jsonl").write_text((row.to_json() + "\n") * 60)
    code, out, err = rcae("monitor", finished_run, tmp_path / "p.jsonl")
    assert code == 8
    assert "\x1b" not in out + err
    assert "image 1 (\\x1b[31m\\nred.png)" in out


@pytest.mark.parametrize(
    ("content", "code", "message"),
    [
        ("", 3, "p.jsonl is empty"),
        (predicted("a", 1.0, 1.0).to_json() + '\n{"path"', 3, "p.jsonl, line 2: "),
        (predicted("a", None, 1.0).to_json(), 3, "1 images were unreadable"),
        (None, 2, "p.jsonl does not exist"),
    ],
)
def test_unusable_predictions_are_one_sentence_and_nothing_is_written(
    rcae, finished_run, tmp_path, content, code, message
):
    if content is not None:
        (tmp_path / "p.jsonl").write_text(content)
    found, out, err = rcae("monitor", finished_run, tmp_path / "p.jsonl", "-o", tmp_path / "out")
    assert (found, out) == (code, "")
    assert message in err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("rate", ["0", "1", "-1", "often"])
def test_a_rate_that_is_none_is_refused(rcae, finished_run, predictions, rate):
    code, _, err = rcae("monitor", finished_run, predictions([1.0]), "--false-alarm-rate", rate)
    assert code == 2
    assert "--false-alarm-rate" in err


def test_a_full_disk_is_said_after_the_report(rcae, finished_run, predictions, tmp_path):
    (tmp_path / "taken").write_text("mine")
    code, out, err = rcae("monitor", finished_run, predictions([1.0]), "-o", tmp_path / "taken")
    assert code == 5
    assert "compared with 16 calibration images" in out
    assert "could not be written" in err
    assert (tmp_path / "taken").read_text() == "mine"
