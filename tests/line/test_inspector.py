"""What the inspector promises: one answer each, in order, on the disk, by the threshold in force."""

import hashlib
from types import SimpleNamespace

import numpy as np
import pytest

from rcae.base.errors import ImageError, StorageError
from rcae.data.image_files import ImageContent
from rcae.data.images import read_image
from rcae.data.view.working_view import WorkingView
from rcae.detector.detector import Detector
from rcae.line.inspector import Arrival, Inspector
from rcae.line.record.inspection import Inspection, Query
from tests.line.grey_model import TOO_LARGE_PX, grey_detector, png


@pytest.fixture
def inspector(record, kept):
    return Inspector("grey", grey_detector(), record, kept)


def test_each_arrival_gets_its_own_answer_in_order_and_broken_ones_spoil_nothing(inspector, record):
    levels = [10, 200, 90, 128, 255, 0]
    arrivals = [Arrival(f"{level}.png", png(level)) for level in levels]
    arrivals.insert(2, Arrival("broken.png", png(7)[:40]))
    arrivals.insert(5, Arrival("wide.png", png(7, size=(TOO_LARGE_PX, 16))))
    arrivals.insert(0, Arrival("tall.png", png(60, size=(16, 31))))
    answers = inspector.inspect(arrivals)
    assert [isinstance(answer, ImageError) for answer in answers] == [
        *[False] * 3,
        True,
        *[False] * 2,
        True,
        *[False] * 2,
    ]
    good = [answer for answer in answers if isinstance(answer, Inspection)]
    assert [one.source for one in good] == ["tall.png", *(f"{level}.png" for level in levels)]
    assert [one.anomaly_score for one in good] == pytest.approx([60 / 255, *np.array(levels) / 255])
    assert [one.is_defective for one in good] == [one.anomaly_score >= 0.5 for one in good]
    assert [one.number for one in good] == list(range(1, 8))
    assert [one.id for one in record.each(Query())] == [one.id for one in good]
    assert (good[0].width_px, good[0].height_px) == (16, 31)
    assert good[0].image_sha256 == hashlib.sha256(arrivals[0].content).hexdigest()


def test_images_that_arrive_together_reach_the_runner_together(inspector):
    inspector.inspect([Arrival("a", png(n, size=(20 + n % 2, 16))) for n in range(6)])
    assert inspector.detector.runner.drawn == [6]


def test_drawn_together_a_model_says_what_it_says_of_each_alone(finished_run, parts, record, kept):
    detector = Detector.load(finished_run)
    inspector = Inspector("parts", detector, record, kept)
    files = sorted(parts.rglob("test/*/*.png"))
    arrivals = [Arrival(file.name, file.read_bytes()) for file in files]
    together = inspector.inspect(arrivals)
    for file, found in zip(files, together, strict=True):
        alone = detector.predict(file)
        assert found.anomaly_score == pytest.approx(alone.anomaly_score, rel=1e-6, abs=1e-6)
        assert (found.is_defective, found.p_value) == (alone.is_defective, alone.p_value)
        assert len(found.regions) == len(alone.regions)
        kept_map = kept.working_map(found.id)
        np.testing.assert_allclose(kept_map, alone.working_map, rtol=1e-5, atol=1e-5)
        assert kept.image(found.id) == file.read_bytes()


def test_the_threshold_a_person_applied_decides_from_the_next_image_on(inspector):
    before = inspector.inspect([Arrival("a", png(100))])[0]
    inspector.apply_threshold(0.25, "Ada", "glare")
    after = inspector.inspect([Arrival("a", png(100))])[0]
    assert (before.threshold, before.is_defective, before.regions) == (0.5, False, ())
    assert (after.threshold, after.is_defective, len(after.regions)) == (0.25, True, 1)
    assert inspector.threshold == 0.25
    assert after.p_value == before.p_value  # a matter of calibration, not of the threshold


def calibrated_anew(inspector, threshold):
    """The same weights, started again."""
    detector = grey_detector()
    calibration = detector.calibration.model_copy(update={"threshold": threshold})
    detector.runner.header = SimpleNamespace(calibration=calibration, working_view=WorkingView(1.0))
    return Inspector("grey", detector, inspector._record, inspector._kept_images)


def test_an_applied_threshold_ends_with_the_calibration_it_was_chosen_against(inspector, said):
    inspector.apply_threshold(0.25, "Ada", "glare")
    assert calibrated_anew(inspector, 0.5).threshold == 0.25  # started again, nothing else
    assert said() == ""
    anew = calibrated_anew(inspector, 0.75)
    assert said().count("0.25, which Ada applied, was not chosen against") == 1
    (found,) = anew.inspect([Arrival("a", png(100))])
    assert (found.threshold, found.is_defective) == (0.75, False)
    anew.apply_threshold(0.3, "Bob", "dust")
    assert (anew.threshold, calibrated_anew(inspector, 0.75).threshold) == (0.3, 0.3)
    assert inspector.threshold == 0.25  # still running, calibrated as before
    assert said() == ""


def test_a_full_disk_loses_the_picture_but_not_the_inspection_and_is_said_once(
    inspector, record, kept, monkeypatch, said
):
    def full(*_):
        raise StorageError("no space left")

    with monkeypatch.context() as patch:
        patch.setattr(kept, "keep", full)
        found = inspector.inspect([Arrival("a", png(1)), Arrival("b", png(2))])
        inspector.inspect([Arrival("c", png(3))])
    assert record.count(Query()) == 3
    assert kept.image(found[0].id) is None
    assert inspector.pictures_not_kept == 3
    assert said().count("no space left") == 1
    later = inspector.inspect([Arrival("d", png(4))])[0]
    assert kept.image(later.id) == png(4)


def test_nothing_is_kept_or_answered_when_the_record_refuses(inspector, record, kept, monkeypatch):
    def locked(_):
        raise StorageError("locked")

    keeps = []
    monkeypatch.setattr(record, "add", locked)
    monkeypatch.setattr(kept, "keep", lambda *arguments: keeps.append(arguments))
    with pytest.raises(StorageError):
        inspector.inspect([Arrival("a", png(1))])
    assert keeps == []
    assert record.count(Query()) == 0


def test_only_a_few_images_are_decoded_at_once(inspector, monkeypatch):
    monkeypatch.setattr("rcae.line.inspector.PIXELS_AT_ONCE", 20 * 16 * 2)
    inspector.inspect([Arrival("a", png(1))] * 5)
    assert inspector.detector.runner.drawn == [2, 2, 1]
    assert len(inspector.inspect([Arrival("a", png(1))] * 5)) == 5


def said(read, source):
    try:
        return read(source).tobytes()
    except ImageError as error:
        return type(error), str(error)


def test_an_image_in_memory_is_read_by_the_rules_of_files(tmp_path):
    for number, content in enumerate([png(9), b"", b"text", png(9)[:50], png(9, size=(8, 8))]):
        file = tmp_path / f"{number}.png"
        file.write_bytes(content)
        assert said(read_image, ImageContent(str(file), content)) == said(read_image, file)
