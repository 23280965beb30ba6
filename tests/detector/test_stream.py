import itertools
import threading
import weakref

import fsspec
import numpy as np
import pytest

from rcae.base.errors import ImageError, StorageError, UsageError
from rcae.data.images import read_image
from rcae.data.photograph import Photograph
from rcae.data.remote import list_urls
from rcae.detector.detection import Detection
from rcae.detector.detector import Detector
from rcae.detector.stream import inspected


@pytest.fixture(scope="module")
def detector(finished_run):
    return Detector.load(finished_run)


@pytest.fixture
def bucket(parts):
    """An object store in memory that holds the good test images, and other files."""
    store = fsspec.filesystem("memory")
    for path in sorted(parts.glob("test/good/*.png")):
        store.pipe_file(f"/bucket/new/{path.name}", path.read_bytes())
    store.pipe_file("/bucket/new/later/a.png", b"no image")
    store.pipe_file("/bucket/new/notes.txt", b"no image")
    store.pipe_file("/bucket/new/.hidden.png", b"no image")
    yield "memory:///bucket"
    store.rm("/bucket", recursive=True)


def test_many_answers_are_those_of_one_image_at_a_time_in_order(detector, parts):
    paths = sorted(parts.glob("test/*/*.png"))
    mixed = [paths[0], str(paths[1]), read_image(paths[2]), "gone.png", *paths[3:], None]
    answers = list(detector.predict_many(mixed))
    assert [isinstance(answer, ImageError) for answer in answers] == [
        *[False] * 3,
        True,
        *[False] * 5,
        True,
    ]
    found = [answer.anomaly_score for answer in answers if isinstance(answer, Detection)]
    assert found == [detector.predict(path).anomaly_score for path in paths]


def test_a_list_without_end_is_worked_through_in_the_memory_of_a_few_images(detector, parts):
    path = parts / "test" / "good" / "000.png"
    alive = []
    for answer in itertools.islice(detector.predict_many(itertools.repeat(path)), 30):
        alive.append(weakref.ref(answer))
        assert sum(reference() is not None for reference in alive) <= 2


def test_threads_end_when_the_answers_are_abandoned(detector, parts):
    before = threading.active_count()
    answers = detector.predict_many(itertools.repeat(parts / "test" / "good" / "000.png"))
    next(answers)
    answers.close()
    assert threading.active_count() == before


def test_the_next_image_is_read_while_the_model_works_on_the_one_before():
    read_by, second_was_read = [], threading.Event()

    def read(source):
        read_by.append(threading.current_thread())
        if len(read_by) == 2:
            second_was_read.set()
        return Photograph(source)

    def inspect(images, started_at):
        assert second_was_read.wait(timeout=60)
        return [ImageError("seen")] * len(images)

    image = np.zeros((16, 16, 3), np.float32)
    assert len(list(inspected(read, inspect, [image, image], 1))) == 2
    assert set(read_by).isdisjoint({threading.main_thread()})


@pytest.mark.parametrize(("side_px", "largest"), [(16, 5), (4096, 2)])
def test_a_batch_holds_so_many_images_and_so_many_pixels_and_no_more(side_px, largest):
    batches, read = [], []

    def images():
        for number in range(12):
            read.append(number)
            yield np.full((side_px, side_px), number * 20, np.uint8)

    def inspect(pixels, started_at):
        batches.append([round(255 * float(one.image[0, 0, 0])) // 20 for one in pixels])
        assert len(read) <= batches[-1][-1] + 2 + 5
        return [ImageError(str(number)) for number in batches[-1]]

    answered = list(
        inspected(lambda source: Photograph.read(source, None, 1.0), inspect, images(), 5)
    )
    assert [int(one.source[0, 0]) // 20 for one in answered] == list(range(12))
    assert [str(one.answer) for one in answered] == list(map(str, range(12)))
    assert list(itertools.chain(*batches)) == list(range(12))
    assert max(map(len, batches)) == largest


def test_images_of_an_object_store_have_the_scores_of_their_files(detector, parts, bucket):
    paths = sorted(parts.glob("test/good/*.png"))
    urls = [f"{bucket}/new/{path.name}" for path in paths]
    broken, *answers = detector.predict_many([f"{bucket}/new/later/a.png", *urls])
    assert f"{bucket}/new/later/a.png is not a" in str(broken)
    assert [a.anomaly_score for a in answers] == [detector.predict(p).anomaly_score for p in paths]


def test_a_folder_a_pattern_and_an_object_of_a_store_name_their_images(bucket):
    names = [f"{bucket}/new/00{number}.png" for number in range(4)]
    later = f"{bucket}/new/later/a.png"
    assert list(list_urls(bucket)) == [*names, later]
    assert list(list_urls(f"{bucket}/*/00[12].png")) == names[1:3]
    assert list(list_urls(names[3])) == [names[3]]
    for nothing in ("memory://gone", f"{bucket}/*.gif", "nosuch://bucket/a.png"):
        with pytest.raises(UsageError, match=r"nosuch|holds or matches no image"):
            list(list_urls(nothing))


def test_a_missing_object_costs_its_answer_and_a_failing_store_stops(detector, bucket, monkeypatch):
    (answer,) = detector.predict_many([f"{bucket}/gone.png"])
    assert isinstance(answer, ImageError)

    def fail(store, path):
        raise ConnectionResetError("connection reset")

    monkeypatch.setattr(type(fsspec.filesystem("memory")), "cat_file", fail)
    with pytest.raises(StorageError, match="connection reset"):
        list(detector.predict_many([f"{bucket}/new/000.png"]))
