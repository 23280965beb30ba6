import json
import re
import shutil
import threading

import numpy as np
import pytest
from PIL import Image
from sklearn.metrics import average_precision_score

import rcae
import rcae.detector.run.versions
import rcae.line.feedback.journal
import rcae.line.feedback.recalibration
from rcae.base.errors import CheckpointError
from rcae.detector.calibration_images import read_calibration_images
from rcae.detector.run.checkpoint import load_model, weights_sha256
from rcae.detector.run.run_folder import RunFolder
from rcae.line.feedback.apply import FineTuning, propose
from rcae.line.feedback.journal import add_feedback, read_feedback, reviewed_images
from tests.conftest import call, draw_part


@pytest.fixture
def run(finished_run, tmp_path):
    shutil.copytree(finished_run, tmp_path / "run")
    return tmp_path / "run"


@pytest.fixture
def odd_parts(tmp_path):
    """Good parts with a harmless mark that this model takes for a defect."""
    folder = tmp_path / "odd"
    folder.mkdir()
    random = np.random.default_rng(5)
    for number in range(6):
        pixels = draw_part(random)
        pixels[18:24, 18 + number : 26] = (250, 40, 40)
        Image.fromarray(pixels).save(folder / f"{number}.png")
    return folder


def say(run, image, verdict, **details):
    detection = rcae.Detector.load(run).predict(image)
    return add_feedback(RunFolder(run), image, verdict, detection, **details)


def test_the_journal_keeps_every_word_and_the_last_one_counts(run, odd_parts):
    say(run, odd_parts / "0.png", "defect", note="red", author="Ada")
    say(run, odd_parts / "1.png", "good")
    say(run, odd_parts / "0.png", "good", note="only paint")
    entries = read_feedback(RunFolder(run))
    assert [(e.verdict, e.note) for e in entries] == [
        ("defect", "red"),
        ("good", ""),
        ("good", "only paint"),
    ]
    assert entries[0].author == "Ada"
    assert entries[0].sha256 == entries[2].sha256
    assert (
        entries[0].anomaly_score
        == rcae.Detector.load(run).predict(odd_parts / "0.png").anomaly_score
    )
    assert [image.feedback.note for image in reviewed_images(RunFolder(run))] == ["only paint", ""]


def test_the_image_is_kept_when_its_file_is_gone(run, odd_parts):
    say(run, odd_parts / "0.png", "good")
    content = (odd_parts / "0.png").read_bytes()
    (odd_parts / "0.png").unlink()
    assert reviewed_images(RunFolder(run))[0].image.read_bytes() == content


def test_many_people_at_once_leave_one_unbroken_journal(run, odd_parts):
    detection = rcae.Detector.load(run).predict(odd_parts / "0.png")
    people = [
        threading.Thread(
            target=add_feedback,
            args=(RunFolder(run), odd_parts / f"{n % 6}.png", "good", detection),
        )
        for n in range(12)
    ]
    for person in people:
        person.start()
    for person in people:
        person.join()
    assert len(read_feedback(RunFolder(run))) == 12


def other_verdict(lines):
    return [lines[0].replace(b'"verdict":"defect"', b'"verdict":"good"'), *lines[1:]]


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (other_verdict, "line 2 .* does not follow"),
        (lambda lines: lines[1:], "line 1 .* does not follow"),
        (lambda lines: [lines[0], lines[2]], "line 2 .* does not follow"),
        (lambda lines: [*lines[:2], lines[2][:-1]], "line 3 .* is cut off"),
        (lambda lines: [*lines[:2], lines[2][:40]], "line 3 .* is not an entry"),
        (lambda lines: [b"\n", *lines], "line 1 .* is not an entry"),
        (lambda lines: [b"\xff\xfe\n"], "line 1 .* is not an entry"),
        (
            lambda lines: [lines[0].replace(b".png", b"/../../x"), *lines[1:]],
            "line 1 .* not an entry",
        ),
    ],
)
def test_a_journal_that_was_changed_is_refused_and_nothing_is_added(
    run, odd_parts, damage, message, monkeypatch, capsys
):
    for number, verdict in enumerate(["defect", "good", "good"]):
        say(run, odd_parts / f"{number}.png", verdict)
    journal = run / "feedback.jsonl"
    journal.write_bytes(b"".join(damage(journal.read_bytes().splitlines(True))))
    before = journal.read_bytes()
    words = (["list", run], ["apply", run, "--yes"], ["add", run, odd_parts / "4.png", "--good"])
    for command in words:
        code, _, errors = call(monkeypatch, capsys, "feedback", *command)
        assert (code, bool(re.search(message, errors))) == (4, True), (command, errors)
    assert journal.read_bytes() == before
    assert not (run / "versions").exists()


def test_a_kept_copy_that_was_changed_is_refused(run, odd_parts):
    entry = say(run, odd_parts / "0.png", "good")
    shutil.copy(odd_parts / "1.png", run / "feedback" / entry.image_file)
    with pytest.raises(CheckpointError, match="was changed"):
        reviewed_images(RunFolder(run))


def test_confirmed_good_images_join_the_calibration(run, odd_parts):
    for number in range(6):
        say(run, odd_parts / f"{number}.png", "good")
    before = rcae.Detector.load(run)
    scores = [before.predict(odd_parts / f"{n}.png").anomaly_score for n in range(6)]
    assert max(scores) >= before.calibration.threshold  # a false alarm
    propose(RunFolder(run)).accept()
    after = rcae.Detector.load(run).calibration
    assert after.scores == tuple(sorted([*before.calibration.scores, *scores]))
    assert after.threshold > before.calibration.threshold
    assert after.false_alarm_rate == before.calibration.false_alarm_rate
    assert len(read_calibration_images(run / "calibration.csv")) == len(after.scores)


def test_what_was_applied_once_is_not_applied_again(run, odd_parts, monkeypatch, capsys):
    say(run, odd_parts / "0.png", "good")
    propose(RunFolder(run)).accept()
    code, _, errors = call(monkeypatch, capsys, "feedback", "apply", run, "--yes")
    assert (code, "holds nothing that would change the calibration" in errors) == (2, True)


def test_a_calibration_image_that_proves_defective_leaves_the_calibration(run, odd_parts):
    say(run, odd_parts / "0.png", "good")
    propose(RunFolder(run)).accept()
    count = len(rcae.Detector.load(run).calibration.scores)
    say(run, odd_parts / "0.png", "defect")
    propose(RunFolder(run), 0.2).accept()
    assert len(rcae.Detector.load(run).calibration.scores) == count - 1


def test_images_that_were_trained_on_never_calibrate(run, parts):
    learnt = next(
        row.split(",")[1] for row in (run / "data.csv").read_text().splitlines() if "train," in row
    )
    say(run, parts / learnt, "good")
    with pytest.raises(rcae.RcaeError, match="holds nothing"):
        propose(RunFolder(run))


def test_confirmed_masks_say_how_well_both_models_show_the_defects(run, parts, odd_parts):
    image, mask = parts / "test/scratch/001.png", parts / "ground_truth/scratch/001_mask.png"
    say(run, odd_parts / "0.png", "good")
    say(run, image, "defect", mask=mask)
    proposal = propose(RunFolder(run))
    shown = rcae.Detector.load(run).predict(image).anomaly_map
    marked = np.asarray(Image.open(mask))
    expected = average_precision_score(marked.ravel(), shown.ravel())
    assert proposal.pixel_ap == (
        pytest.approx(expected),
        pytest.approx(expected),
    )  # the same weights
    assert re.search(r"with masks \(1\) +0\.\d+ +0\.\d+", str(proposal))


def test_nothing_is_replaced_before_someone_agrees(run, odd_parts, monkeypatch, capsys):
    say(run, odd_parts / "0.png", "good")
    before = (run / "model.safetensors").read_bytes()
    code, out, _ = call(monkeypatch, capsys, "feedback", "apply", run)
    assert code == 0
    assert re.search(r"false alarms, of good images \(1\) +1 +0", out)
    assert "nothing was replaced" in out
    assert (run / "model.safetensors").read_bytes() == before
    assert "version 1" in call(monkeypatch, capsys, "feedback", "apply", run, "--yes")[1]
    assert (run / "versions" / "0001.safetensors").read_bytes() == before


def test_fine_tuning_changes_crd_alone_and_never_sees_what_it_is_judged_by(run, parts, odd_parts):
    for number in range(5):
        say(run, odd_parts / f"{number}.png", "good")
    say(run, parts / "test" / "scratch" / "000.png", "defect")
    old = load_model(run / "model.safetensors")
    proposal = propose(RunFolder(run), fine_tuning=FineTuning(parts, steps=2))
    new = proposal.model
    for name in ("reconstruction", "detail", "detection"):
        weights = [weights_sha256(getattr(m.system, name).state_dict()) for m in (old, new)]
        assert (weights[0] == weights[1]) == (name != "detection")
    learnt = set(new.header.provenance["fine_tuned_on"])
    calibrated = {image.sha256 for image in proposal.calibration_images}
    defective = {
        i.reviewed.feedback.sha256
        for i in proposal.judged
        if i.reviewed.feedback.verdict == "defect"
    }
    assert (len(learnt), len(calibrated), len(defective)) == (3, 4 + 2, 1)
    assert not learnt & calibrated
    assert not defective & (learnt | calibrated)
    assert [i.was_learnt for i in proposal.judged].count(True) == 3


def test_a_fine_tuned_model_predicts_as_it_was_calibrated_and_can_be_undone(run, parts, odd_parts):
    for number in range(4):
        say(run, odd_parts / f"{number}.png", "good")
    before = (run / "model.safetensors").read_bytes()
    propose(RunFolder(run), fine_tuning=FineTuning(parts, steps=2)).accept()
    detector = rcae.Detector.load(run)
    for image in read_calibration_images(run / "calibration.csv"):
        assert detector.predict(image.path).anomaly_score == image.anomaly_score
    learnt = detector.header.provenance["fine_tuned_on"]
    with pytest.raises(rcae.RcaeError, match="was trained on"):  # from now on they are known
        rcae.line.feedback.recalibration.recalibrate(run, [str(odd_parts)], 0.2)
    rcae.detector.run.versions.restore(RunFolder(run), 1)
    assert (run / "model.safetensors").read_bytes() == before
    assert len(learnt) == 2


def test_after_fine_tuning_the_training_session_is_known_by_the_scores_of_the_new_model(
    run, parts, odd_parts
):
    for number in range(2):
        say(run, odd_parts / f"{number}.png", "good")
    propose(RunFolder(run), fine_tuning=FineTuning(parts, steps=2)).accept()
    detector = rcae.Detector.load(run)
    rows = [line.split(",") for line in (run / "data.csv").read_text().splitlines()[1:]]
    held_out = [parts / path for role, path, _ in rows if role == "calibration"]
    expected = sorted(detector.predict(path).anomaly_score for path in held_out)
    assert list(detector.calibration.scores_of_training_session) == expected


def test_fine_tuning_twice_from_the_same_state_is_the_same(run, parts, odd_parts):
    for number in range(3):
        say(run, odd_parts / f"{number}.png", "good")
    proposals = [propose(RunFolder(run), fine_tuning=FineTuning(parts, 2)) for _ in range(2)]
    weights = [weights_sha256(p.model.system.state_dict()) for p in proposals]
    assert weights[0] == weights[1]


def test_fine_tuning_needs_the_images_of_the_calibration_again(run, parts, odd_parts, tmp_path):
    days = tmp_path / "day"
    shutil.copytree(odd_parts, days)
    rcae.line.feedback.recalibration.recalibrate(run, [str(days)], 0.2)
    say(run, parts / "test" / "good" / "000.png", "good")
    shutil.rmtree(days)
    propose(RunFolder(run))  # its scores are known
    with pytest.raises(rcae.RcaeError, match="is gone or was changed"):
        propose(RunFolder(run), fine_tuning=FineTuning(parts, steps=1))


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["add", "RUN", "IMAGE"], 2, "say --good or --defect"),
        (["add", "RUN", "gone.png", "--good"], 3, "gone.png"),
        (["add", "RUN", "IMAGE", "--good", "--mask", "MASK"], 2, "leave the mask out"),
        (
            ["add", "RUN", "IMAGE", "--defect", "--mask", "IMAGE_OF_OTHER_SIZE"],
            3,
            "size of its image",
        ),
        (["add", "gone", "IMAGE", "--good"], 2, "is not a folder"),
        (["apply", "RUN", "--yes"], 2, "holds nothing that would change"),
        (["apply", "RUN", "--steps", "3"], 2, "needs --fine-tune"),
        (["apply", "RUN", "--steps", "0", "--fine-tune", "x"], 2, "range"),
        (["list", "gone"], 2, "is not a folder"),
    ],
)
def test_bad_requests_get_one_sentence(
    run, parts, tmp_path, words, code, message, monkeypatch, capsys
):
    Image.new("L", (20, 20), 255).save(tmp_path / "small.png")
    places = {
        "RUN": run,
        "IMAGE": parts / "test/good/000.png",
        "MASK": parts / "ground_truth/scratch/000_mask.png",
        "IMAGE_OF_OTHER_SIZE": tmp_path / "small.png",
    }
    exit_code, _, errors = call(
        monkeypatch, capsys, "feedback", *[places.get(word, word) for word in words]
    )
    assert (exit_code, message in errors) == (code, True), errors
    assert not (run / "feedback.jsonl").exists()


def test_a_user_without_a_name_is_asked_for_one(run, parts, monkeypatch, capsys):
    def nameless():
        raise KeyError("getpwuid(): uid not found: 54321")

    monkeypatch.setattr("getpass.getuser", nameless)
    words = ("feedback", "add", run, parts / "test/good/000.png", "--good")
    code, _, errors = call(monkeypatch, capsys, *words)
    assert (code, "give a name with --author" in errors) == (2, True), errors
    assert not (run / "feedback.jsonl").exists()
    assert call(monkeypatch, capsys, *words, "--author", "Ada")[0] == 0


def test_a_rate_that_the_images_cannot_support_is_refused(run, odd_parts, monkeypatch, capsys):
    say(run, odd_parts / "0.png", "good")
    code, _, errors = call(
        monkeypatch, capsys, "feedback", "apply", run, "--yes", "--false-alarm-rate", "0.01"
    )
    assert (code, "at least 99 are needed" in errors) == (2, True)


def test_a_full_disk_leaves_the_journal_as_it_was(run, odd_parts, monkeypatch, capsys):
    say(run, odd_parts / "0.png", "good")
    before = (run / "feedback.jsonl").read_bytes()
    write = rcae.line.feedback.journal.os.write
    monkeypatch.setattr(
        "rcae.line.feedback.journal.os.write", lambda handle, line: write(handle, line[:30])
    )
    code, _, errors = call(
        monkeypatch, capsys, "feedback", "add", run, odd_parts / "1.png", "--good"
    )
    assert (code, "could not be written" in errors) == (5, True)
    assert (run / "feedback.jsonl").read_bytes() == before


def test_the_commands_say_what_they_did(run, parts, monkeypatch, capsys):
    image, mask = parts / "test/scratch/001.png", parts / "ground_truth/scratch/001_mask.png"
    code, out, _ = call(
        monkeypatch, capsys, "feedback", "add", run, image, "--defect", "--mask", mask
    )
    assert code == 0
    assert "defect, says the person; the model says" in out
    entry = json.loads((run / "feedback.jsonl").read_text())
    assert (run / "feedback" / entry["mask_file"]).read_bytes() == mask.read_bytes()
    assert str(image) in call(monkeypatch, capsys, "feedback", "list", run)[1]
