"""The queue in front of a model: bounded, in order, never losing what it accepted."""

import threading

import pytest

from rcae.base.errors import ImageError, StorageError
from rcae.line.inspector import Arrival
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


def test_what_waits_is_taken_together_in_order_and_no_request_is_divided(batcher, inspecting):
    first = batcher.submit(arrivals("a"))
    assert inspecting.started.acquire(timeout=20)
    others = [batcher.submit(arrivals(*sources)) for sources in ("b", "c", "de", "f")]
    assert batcher.waiting_images == 5
    inspecting.may_go.set()
    assert first.result(20) == ["a"]
    assert [other.result(20) for other in others] == [["b"], ["c"], ["d", "e"], ["f"]]
    assert inspecting.together == [["a"], ["b", "c"], ["d", "e", "f"]]


def test_a_request_larger_than_a_batch_is_taken_alone(batcher, inspecting):
    inspecting.may_go.set()
    assert batcher.submit(arrivals(*"abcdef")).result(20) == list("abcdef")
    assert inspecting.together == [list("abcdef")]


def test_a_full_queue_refuses_and_has_room_again_later(batcher, inspecting):
    batcher.submit(arrivals("a"))
    assert inspecting.started.acquire(timeout=20)
    for _ in range(2):
        batcher.submit(arrivals("b", "c"))
    with pytest.raises(BusyError):
        batcher.submit(arrivals("d", "e", "f"))
    last = batcher.submit(arrivals("d", "e"))
    inspecting.may_go.set()
    assert last.result(20) == ["d", "e"]
    assert batcher.submit(arrivals("f")).result(20) == ["f"]


def test_closing_answers_what_was_accepted_and_takes_nothing_more(batcher, inspecting):
    accepted = [batcher.submit(arrivals(source)) for source in "abcd"]
    closing = threading.Thread(target=batcher.close)
    closing.start()
    inspecting.may_go.set()
    closing.join(20)
    assert [one.result(0) for one in accepted] == [["a"], ["b"], ["c"], ["d"]]
    assert not batcher.is_working
    with pytest.raises(StoppingError):
        batcher.submit(arrivals("e"))


@pytest.mark.parametrize("error", [StorageError("locked"), RuntimeError("a fault"), MemoryError()])
def test_an_error_reaches_everyone_who_waits_and_the_thread_goes_on(error):
    fails = [True]

    def inspect(given):
        if fails:
            raise error
        return [ImageError(arrival.source) for arrival in given]

    batcher = Batcher(inspect, queue_images=6, images_at_once=3, wait_s=60, gather_s=0.01)
    for waiting in [batcher.submit(arrivals("a")), batcher.submit(arrivals("b", "c"))]:
        with pytest.raises(type(error)):
            waiting.result(20)
    fails.clear()
    assert str(batcher.submit(arrivals("d")).result(20)[0]) == "d"
    batcher.close()


def test_an_image_that_would_come_late_is_refused_instead(monkeypatch, inspecting):
    clock = iter(range(0, 10_000, 5))
    monkeypatch.setattr("rcae.service.batching.time.perf_counter", lambda: next(clock))
    inspecting.may_go.set()
    batcher = Batcher(inspecting, queue_images=100, images_at_once=8, wait_s=3.5, gather_s=0)
    for _ in range(30):  # of 5 s each, by this clock
        batcher.submit(arrivals("a")).result(20)
    inspecting.may_go.clear()
    while inspecting.started.acquire(blocking=False):
        pass
    batcher.submit(arrivals("b"))
    assert inspecting.started.acquire(timeout=20)
    with pytest.raises(BusyError):
        batcher.submit(arrivals("c"))
    inspecting.may_go.set()
    batcher.close()


def test_where_images_take_long_none_waits_for_its_neighbours(monkeypatch, inspecting):
    clock = iter(range(0, 10_000, 5))
    monkeypatch.setattr("rcae.service.batching.time.perf_counter", lambda: next(clock))
    batcher = Batcher(inspecting, queue_images=100, images_at_once=8, wait_s=1e9, gather_s=0)
    batcher.submit(arrivals("a"))
    assert inspecting.started.acquire(timeout=20)
    waiting = [batcher.submit(arrivals(source)) for source in "bcd"]
    inspecting.may_go.set()
    assert [one.result(20) for one in waiting] == [["b"], ["c"], ["d"]]
    assert inspecting.together == [["a"], ["b"], ["c"], ["d"]]
    batcher.close()
