"""The queue in front of a model: bounded, in order, losing nothing that somebody waits for."""

import threading
from collections import Counter
from functools import partial

import numpy as np
import pytest

from rcae.base.errors import ImageError, StoppedError, StorageError
from rcae.line.inspector import Arrival
from rcae.model.tiles import TILE_PX, blended
from rcae.service.batching import Batcher, StoppingError
from rcae.service.limits import BusyError


class Inspecting:
    """Answers with the sources it is given, once it may; remembers what it was given together."""

    def __init__(self):
        self.may_go = threading.Event()
        self.started = threading.Semaphore(0)
        self.together = []

    def __call__(self, arrivals):
        self.started.release()
        assert self.may_go.wait(20)
        self.together.append([arrival.source for arrival in arrivals])
        return [arrival.source for arrival in arrivals]


@pytest.fixture
def inspecting():
    return Inspecting()


@pytest.fixture
def batcher(inspecting):
    made = Batcher(inspecting, queue_images=6, images_at_once=3, wait_s=60, gather_s=0)
    yield made
    inspecting.may_go.set()
    made.close()


def arrivals(*sources):
    return [Arrival(source, b"") for source in sources]


def submit(batcher, given, pixels=1):
    """The answers to come, where each image has so many pixels."""
    return batcher.submit(given, pixels * len(given)).answers


def test_what_waits_is_taken_together_in_order_and_no_request_is_divided(batcher, inspecting):
    first = submit(batcher, arrivals("a"))
    assert inspecting.started.acquire(timeout=20)
    others = [submit(batcher, arrivals(*sources)) for sources in ("b", "c", "de", "f")]
    assert batcher.waiting_images == 5
    inspecting.may_go.set()
    assert first.result(20) == ["a"]
    assert [other.result(20) for other in others] == [["b"], ["c"], ["d", "e"], ["f"]]
    assert inspecting.together == [["a"], ["b", "c"], ["d", "e", "f"]]


def test_a_request_larger_than_a_batch_is_taken_alone(batcher, inspecting):
    inspecting.may_go.set()
    assert submit(batcher, arrivals(*"abcdef")).result(20) == list("abcdef")
    assert inspecting.together == [list("abcdef")]


def test_a_full_queue_refuses_and_has_room_again_later(batcher, inspecting):
    submit(batcher, arrivals("a"))
    assert inspecting.started.acquire(timeout=20)
    for _ in range(2):
        submit(batcher, arrivals("b", "c"))
    with pytest.raises(BusyError):
        submit(batcher, arrivals("d", "e", "f"))
    last = submit(batcher, arrivals("d", "e"))
    inspecting.may_go.set()
    assert last.result(20) == ["d", "e"]
    assert submit(batcher, arrivals("f")).result(20) == ["f"]


def test_closing_answers_what_was_accepted_and_takes_nothing_more(batcher, inspecting):
    accepted = [submit(batcher, arrivals(source)) for source in "abcd"]
    closing = threading.Thread(target=batcher.close)
    closing.start()
    inspecting.may_go.set()
    closing.join(20)
    assert [one.result(0) for one in accepted] == [["a"], ["b"], ["c"], ["d"]]
    assert not batcher.is_working
    with pytest.raises(StoppingError):
        submit(batcher, arrivals("e"))


@pytest.mark.parametrize("error", [StorageError("locked"), RuntimeError("a fault"), MemoryError()])
def test_an_error_reaches_everyone_who_waits_and_the_thread_goes_on(error):
    fails = [True]

    def inspect(given):
        if fails:
            raise error
        return [ImageError(arrival.source) for arrival in given]

    batcher = Batcher(inspect, queue_images=6, images_at_once=3, wait_s=60, gather_s=0.01)
    for waiting in [submit(batcher, arrivals("a")), submit(batcher, arrivals("b", "c"))]:
        with pytest.raises(type(error)):
            waiting.result(20)
    fails.clear()
    assert str(submit(batcher, arrivals("d")).result(20)[0]) == "d"
    batcher.close()


def test_an_image_that_would_come_late_is_refused_instead(monkeypatch, inspecting):
    clock = iter(range(0, 10_000, 5))
    monkeypatch.setattr("rcae.service.batching.time.perf_counter", lambda: next(clock))
    inspecting.may_go.set()
    batcher = Batcher(inspecting, queue_images=100, images_at_once=8, wait_s=3.5, gather_s=0)
    for _ in range(30):  # of 5 s each, by this clock
        submit(batcher, arrivals("a")).result(20)
    inspecting.may_go.clear()
    while inspecting.started.acquire(blocking=False):
        pass
    submit(batcher, arrivals("b"))
    assert inspecting.started.acquire(timeout=20)
    with pytest.raises(BusyError):
        submit(batcher, arrivals("c"))
    inspecting.may_go.set()
    batcher.close()


def test_where_images_take_long_none_waits_for_its_neighbours(monkeypatch, inspecting):
    clock = iter(range(0, 10_000, 5))
    monkeypatch.setattr("rcae.service.batching.time.perf_counter", lambda: next(clock))
    batcher = Batcher(inspecting, queue_images=100, images_at_once=8, wait_s=1e9, gather_s=0)
    submit(batcher, arrivals("a"))
    assert inspecting.started.acquire(timeout=20)
    waiting = [submit(batcher, arrivals(source)) for source in "bcd"]
    inspecting.may_go.set()
    assert [one.result(20) for one in waiting] == [["b"], ["c"], ["d"]]
    assert inspecting.together == [["a"], ["b"], ["c"], ["d"]]
    batcher.close()


class Drawing:
    """Draws an image of many tiles for each arrival; each tile waits until the test lets it go."""

    def __init__(self):
        self.reached, self.may_go = threading.Semaphore(0), threading.Semaphore(0)
        self.tiles = Counter()
        """Number of tiles by the source of their image."""

    def __call__(self, given):
        for arrival in given:
            blended(np.zeros((1, 40 * TILE_PX)), partial(self.draw, arrival.source))
        return [arrival.source for arrival in given]

    def draw(self, source, part):
        self.tiles[source] += 1
        self.reached.release()
        assert self.may_go.acquire(timeout=20)
        return [part]


@pytest.fixture
def drawing():
    return Drawing()


@pytest.fixture
def tiling(drawing):
    made = Batcher(drawing, queue_images=6, images_at_once=1, wait_s=60, gather_s=0)
    yield made
    made.stop_within(-1)
    drawing.may_go.release(100)
    made.close()


def test_an_inspection_that_nobody_waits_for_stops_at_its_next_tile(tiling, drawing):
    left = tiling.submit(arrivals("a"), 1)
    assert drawing.reached.acquire(timeout=20)
    waiting = submit(tiling, arrivals("b"))
    tiling.give_up(left)
    drawing.may_go.release(1)
    with pytest.raises(StoppedError, match="nothing was recorded"):
        left.answers.result(20)
    assert drawing.tiles["a"] == 1  # the next one may have begun
    drawing.may_go.release(100)
    assert waiting.result(20) == ["b"]  # the next one is not stopped


def test_a_request_that_is_given_up_in_the_queue_frees_its_place_and_is_never_begun(
    batcher, inspecting
):
    submit(batcher, arrivals("a"))
    assert inspecting.started.acquire(timeout=20)
    left = batcher.submit(arrivals("b", "c"), 2)
    kept = submit(batcher, arrivals("d"))
    batcher.give_up(left)
    assert batcher.waiting_images == 1
    inspecting.may_go.set()
    assert kept.result(20) == ["d"]
    assert inspecting.together == [["a"], ["d"]]
    with pytest.raises(StoppedError):
        left.answers.result(0)


def test_told_to_stop_it_ends_at_the_next_tile_once_the_time_is_over(tiling, drawing):
    at_hand, waiting = submit(tiling, arrivals("a")), submit(tiling, arrivals("b"))
    assert drawing.reached.acquire(timeout=20)
    tiling.stop_within(0)
    drawing.may_go.release(1)
    for answers in (at_hand, waiting):
        with pytest.raises(StoppedError):
            answers.result(20)
    assert drawing.tiles == {"a": 1}
    with pytest.raises(StoppingError):
        submit(tiling, arrivals("c"))


def test_told_to_stop_it_finishes_what_it_can_within_the_time(tiling, drawing):
    at_hand = submit(tiling, arrivals("a"))
    tiling.stop_within(60)
    drawing.may_go.release(100)
    assert at_hand.result(20) == ["a"]


def test_work_is_foretold_from_the_best_speed_seen(monkeypatch, inspecting):
    clock = iter((0, 10, 100, 104, 200, 290))
    monkeypatch.setattr("rcae.service.batching.time.perf_counter", lambda: next(clock))
    inspecting.may_go.set()
    batcher = Batcher(inspecting, queue_images=6, images_at_once=1, wait_s=1e9, gather_s=0)
    assert batcher.least_s(10**9) == 0  # nobody knows yet
    for _ in range(3):  # 10, 4 and 90 s
        submit(batcher, arrivals("a"), pixels=100).result(20)
    assert batcher.least_s(1000) == pytest.approx(40)
    batcher.close()
