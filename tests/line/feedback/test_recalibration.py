import hashlib
import json
import re
import shutil

import numpy as np
import pytest
from PIL import Image

import rcae
from rcae.detector.calibration_images import read_calibration_images
from rcae.detector.run.run_folder import RunFolder
from rcae.detector.run.versions import list_versions, restore
from rcae.line.feedback.recalibration import recalibrate
from tests.conftest import call, draw_part, files_of_at_most


@pytest.fixture
def run(finished_run, tmp_path):
    shutil.copytree(finished_run, tmp_path / "run")
    return tmp_path / "run"


def draw_parts(folder, count, *, seed, brightness=0):
    random = np.random.default_rng(seed)
    folder.mkdir()
    for number in range(count):
        pixels = np.clip(draw_part(random).astype(int) + brightness, 0, 255).astype(np.uint8)
        Image.fromarray(pixels).save(folder / f"{number:03d}.png")
    return folder


@pytest.fixture(scope="module")
def tuesday(tmp_path_factory):
    """Forty good images that were not trained on."""
    return draw_parts(tmp_path_factory.mktemp("days") / "tuesday", 40, seed=11)


def test_the_new_threshold_lies_just_above_the_scores_that_predict_gives(run, tuesday):
    found = recalibrate(run, [str(tuesday)], 0.05)
    detector = rcae.Detector.load(run)
    scores = sorted(detector.predict(path).anomaly_score for path in tuesday.iterdir())
    assert detector.calibration == found.calibration
    assert list(found.calibration.scores) == scores
    assert scores[38] < found.calibration.threshold < scores[39]  # k = ceil(41 * 0.95) = 39
    assert not detector.calibration.is_of_training_session


def test_what_the_training_session_scored_stays_known_however_often_it_is_calibrated(run, tuesday):
    session = rcae.Detector.load(run).calibration.scores
    recalibrate(run, [str(tuesday)], 0.05)
    recalibrate(run, [str(tuesday)], 0.1)
    assert rcae.Detector.load(run).calibration.scores_of_training_session == session


def test_predictions_carry_the_p_value_of_the_new_calibration(run, tuesday):
    recalibrate(run, [str(tuesday)], 0.1)
    detector = rcae.Detector.load(run)
    for path in sorted(tuesday.iterdir())[:5]:
        seen = detector.predict(path)
        rank = sum(score >= seen.anomaly_score for score in detector.calibration.scores)
        assert seen.p_value == (1 + rank) / 41


def test_the_model_before_is_kept_and_comes_back_byte_for_byte(run, tuesday):
    folder = RunFolder(run)
    before, images_before = folder.model.read_bytes(), folder.calibration.read_text()
    recalibrate(run, [str(tuesday)], 0.05)
    calibrated, images = folder.model.read_bytes(), folder.calibration.read_text()
    assert calibrated != before
    assert restore(folder, 1) == 2
    assert folder.model.read_bytes() == before
    assert folder.calibration.read_text() == images_before
    assert restore(folder, 2) == 3
    assert folder.model.read_bytes() == calibrated
    assert folder.calibration.read_text() == images
    assert [version.number for version in list_versions(folder)] == [1, 2, 3]
    assert folder.read_record()["calibration"]["promise"] == list_versions(folder)[1].promise


def test_images_of_the_same_session_are_warned_of_and_others_are_not(run, tuesday, tmp_path):
    bright = draw_parts(tmp_path / "bright", 40, seed=12, brightness=90)
    assert not recalibrate(run, [str(bright)]).looks_like_training_session
    session = draw_parts(tmp_path / "session", 20, seed=13)
    recalibrate(
        run, [str(tuesday)]
    )  # whatever was calibrated on since, the session is compared with
    assert recalibrate(run, [str(session)]).looks_like_training_session


def require_listed(run):
    calibration = rcae.Detector.load(run).calibration
    images = read_calibration_images(run / "calibration.csv")
    assert tuple(sorted(image.anomaly_score for image in images)) == calibration.scores
    assert np.median([image.map_median for image in images]) == calibration.typical_value
    return images


def test_the_calibration_images_are_listed_with_hash_and_score(run, tuesday):
    require_listed(run)  # those that training held out
    recalibrate(run, [str(tuesday)])
    images = require_listed(run)
    assert [image.path for image in images] == sorted(map(str, tuesday.iterdir()))
    assert images[3].sha256 == hashlib.sha256((tuesday / "003.png").read_bytes()).hexdigest()


def test_copies_count_once(run, tuesday, tmp_path):
    shutil.copytree(tuesday, tmp_path / "copies")
    found = recalibrate(run, [str(tuesday), str(tmp_path / "copies")])
    assert found.copy_count == 40
    assert len(found.calibration.scores) == 40


def test_images_that_were_trained_on_are_refused_whatever_their_names(
    run, parts, tuesday, tmp_path
):
    renamed = draw_parts(tmp_path / "mixed", 30, seed=14)
    trained_on = [
        row.split(",")[1]
        for row in (run / "data.csv").read_text().splitlines()
        if row.startswith("train")
    ]
    shutil.copy(parts / trained_on[0], renamed / "999.png")
    before = (run / "model.safetensors").read_bytes()
    with pytest.raises(rcae.RcaeError, match=r"999\.png was trained on, and so were 0 of the 30"):
        recalibrate(run, [str(renamed)])
    assert (run / "model.safetensors").read_bytes() == before
    assert not (run / "versions").exists()


def refused(run, parts, tuesday, tmp_path):
    broken = tmp_path / "broken"
    shutil.copytree(tuesday, broken)
    (broken / "000.png").write_bytes(b"\x89PNG broken")
    one = tuesday / "000.png"
    (tmp_path / "nothing").mkdir()
    return {
        "no image": ([tmp_path / "nothing"], 2, "no image"),
        "one image": ([one], 2, "1 calibration images cannot support .* at least 19"),
        "copies only": ([one, one], 2, "1 calibration images"),
        "a missing path": ([tmp_path / "gone"], 2, "does not exist"),
        "a category": ([parts], 2, "whole category"),
        "a broken image": ([broken], 3, r"000\.png"),
        "a rate of 0": ([tuesday, "--false-alarm-rate", "0"], 2, "0 is not a share"),
        "a rate of 1": ([tuesday, "--false-alarm-rate", "1"], 2, "1 is not a share"),
        "no number": ([tuesday, "--false-alarm-rate", "nan"], 2, "nan is not a share"),
        "sure": ([tuesday, "--confidence", "1"], 2, "1 is not a share"),
        "too low a rate": ([tuesday, "--false-alarm-rate", "0.01"], 2, "at least 99 are needed"),
    }


def test_bad_requests_get_one_sentence_and_change_nothing(
    run, parts, tuesday, tmp_path, monkeypatch, capsys
):
    before = (run / "model.safetensors").read_bytes()
    for name, (words, code, message) in refused(run, parts, tuesday, tmp_path).items():
        exit_code, _, errors = call(monkeypatch, capsys, "calibrate", run, *words)
        assert (exit_code, bool(re.search(message, errors))) == (code, True), (name, errors)
        assert (run / "model.safetensors").read_bytes() == before, name


def test_a_full_disk_leaves_the_old_model_in_place_and_keeps_no_version_of_it(
    run, tuesday, monkeypatch, capsys
):
    before = (run / "model.safetensors").read_bytes()
    # The copy of the old model is written; the new one, with the scores of more images, is not.
    with files_of_at_most(len(before)):
        exit_code, _, errors = call(monkeypatch, capsys, "calibrate", run, tuesday)
    assert (exit_code, "model.safetensors could not be written" in errors) == (5, True)
    assert (run / "model.safetensors").read_bytes() == before
    assert list((run / "versions").iterdir()) == []


def test_the_commands_say_what_they_did(run, tuesday, monkeypatch, capsys):
    code, out, _ = call(monkeypatch, capsys, "calibrate", run, tuesday, "--false-alarm-rate", "0.1")
    assert code == 0
    assert "On average at most 10.0% of good images" in out
    assert "kept as version 1" in out
    code, out, _ = call(monkeypatch, capsys, "restore", run)
    assert code == 0
    assert "calibrated on 40 good images" in out
    assert call(monkeypatch, capsys, "restore", run, "1")[0] == 0
    code, _, errors = call(monkeypatch, capsys, "restore", run, "7")
    assert (code, "has no version 7; it has 1, 2" in errors) == (2, True)


@pytest.mark.parametrize("text", ["", "{}", "[1]", '{"number": 1}'])
def test_a_damaged_note_on_a_version_is_named(run, tuesday, monkeypatch, capsys, text):
    recalibrate(run, [str(tuesday)])
    (run / "versions" / "0001.json").write_text(text)
    code, _, errors = call(monkeypatch, capsys, "restore", run)
    assert (code, "0001.json is not a readable note" in errors) == (4, True)


@pytest.mark.parametrize("text", ["", "role,path\n", "role,path,sha256\nspy,a.png,00\n"])
def test_a_damaged_list_of_training_images_is_named(run, tuesday, monkeypatch, capsys, text):
    (run / "data.csv").write_text(text)
    code, _, errors = call(monkeypatch, capsys, "calibrate", run, tuesday)
    assert (code, "data.csv is not the list of images" in errors) == (4, True)


def test_a_model_file_alone_and_an_unfinished_run_are_refused(run, tuesday, monkeypatch, capsys):
    code, _, errors = call(monkeypatch, capsys, "calibrate", run / "model.safetensors", tuesday)
    assert (code, "give the run folder" in errors) == (2, True)
    (run / "model.safetensors").unlink()
    code, _, errors = call(monkeypatch, capsys, "calibrate", run, tuesday)
    assert (code, "no finished model" in errors) == (2, True)


def test_the_model_of_a_fresh_training_has_the_plain_header_of_before(finished_run):
    record = json.loads((finished_run / "run.json").read_text())
    assert record["calibration"]["confidence"] is None
    calibration = rcae.Detector.load(finished_run).calibration
    assert calibration.is_of_training_session
    assert calibration.scores_of_training_session == calibration.scores
