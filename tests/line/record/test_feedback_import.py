"""`rcae feedback import`: what people said at the line goes into the journal of the run, once."""

import hashlib
import shutil
from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest

from rcae.detector.detector import Detector
from rcae.detector.run.run_folder import RunFolder
from rcae.line.feedback.import_reviews import import_reviews
from rcae.line.feedback.journal import read_feedback, reviewed_images
from rcae.line.record.inspection import Review
from rcae.line.record.kept_images import KeptImages
from rcae.line.record.record import Record
from tests.line.record.conftest import START, inspected


@pytest.fixture
def run(finished_run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    shutil.copytree(finished_run, tmp_path / "run")
    return RunFolder(tmp_path / "run")


@pytest.fixture
def kept(tmp_path):
    return KeptImages(tmp_path / "inspections-images", 100)


@pytest.fixture
def record(tmp_path):
    opened = Record.open(tmp_path / "inspections.sqlite")
    yield opened
    opened.close()


@pytest.fixture
def inspect(run, record, kept, parts):
    """Record and keep one of the test images, as inspected by the run's model unless told otherwise."""
    sha256 = Detector.load(run.path).runner.weights_sha256
    files = sorted((parts / "test").rglob("*.png"))

    def added(number, *verdicts, **changes):
        content = files[number].read_bytes()
        values = {"image_sha256": hashlib.sha256(content).hexdigest(), "model_sha256": sha256}
        one = replace(inspected(number), **{**values, **changes})
        record.add([one])
        kept.keep(one, content, np.zeros((2, 2), np.float32))
        for minute, verdict in enumerate(verdicts):
            time = START + timedelta(minutes=minute - number)
            record.review(one.id, Review(verdict, "Ada", "water\ndrop", time))
        return one

    return added


def test_the_last_word_on_each_kept_image_is_taken_over_once(rcae, run, record, kept, inspect):
    inspect(1, "defect", "good", anomaly_score=1.75, threshold=1.25)
    inspect(2, "defect", source='../../"\x1b/é.PNG')
    inspect(3)
    inspect(4, "good", model_sha256="cd" * 32)
    gone = inspect(5, "good")
    kept._file(gone.id).unlink()
    code, out, _ = rcae("feedback", "import", "run")
    assert (code, out) == (0, "2 taken over, 0 were known, 1 pictures are not kept\n")
    second, first = read_feedback(run)  # the older word first
    assert (first.verdict, first.author, first.note) == ("good", "Ada", "water\\ndrop")
    assert (first.anomaly_score, first.threshold) == (1.75, 1.25)
    assert first.image == "line-3/0001.png"
    assert (second.verdict, second.image) == ("defect", '../../"\\x1b/é.PNG')
    assert [one.image.read_bytes() for one in reviewed_images(run)] == [
        kept.image(inspected(number).id) for number in (2, 1)
    ]
    assert rcae("feedback", "import", "run")[1].startswith("0 taken over, 2 were known")
    record.review(inspected(1).id, Review("defect", "Bob", "", START))
    assert rcae("feedback", "import", "run")[1].startswith("1 taken over, 1 were known")
    assert {one.feedback.verdict for one in reviewed_images(run)} == {"defect"}


def test_the_last_word_is_taken_over_also_where_it_is_what_was_said_before(
    run, record, kept, inspect
):
    one = inspect(1)
    for second, verdict in enumerate(("good", "defect", "good")):
        record.review(one.id, Review(verdict, "Ada", "", START + timedelta(seconds=second / 4)))
        assert import_reviews(run, record, kept, one.model_sha256).added == 1
        assert reviewed_images(run)[0].feedback.verdict == verdict
    assert import_reviews(run, record, kept, one.model_sha256).known == 1
    assert [entry.time for entry in read_feedback(run)][::2] == [
        START,
        START + timedelta(seconds=0.5),
    ]


def test_a_damaged_picture_is_left_out_and_named_and_the_others_are_taken_over(
    rcae, run, kept, inspect
):
    damaged, _ = inspect(2, "good"), inspect(1, "defect")  # the damaged one first, by its time
    kept._file(damaged.id).write_bytes(b"PK half a file")
    code, out, err = rcae("feedback", "import", "run")
    assert (code, out) == (0, "1 taken over, 0 were known, 1 pictures are not kept\n")
    assert f"{damaged.id}.zip cannot be read" in err


def test_a_record_that_does_not_exist_is_one_sentence(rcae, run, tmp_path):
    code, out, err = rcae("feedback", "import", "run", "--store", "none.sqlite")
    assert (code, out) == (2, "")
    assert "none.sqlite does not exist" in err
    assert not (tmp_path / "none.sqlite").exists()
