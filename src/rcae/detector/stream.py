"""Many images: read ahead by threads, inspected in batches, answered in order, in bounded memory."""

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Generic, TypeVar

from rcae.base.errors import ImageError
from rcae.base.machine import core_count
from rcae.data.given import GivenImage
from rcae.data.photograph import Photograph
from rcae.detector.detection import Detection

Source = TypeVar("Source", bound="GivenImage")
Inspect = Callable[[Sequence[Photograph], Sequence[float]], Sequence[Detection | ImageError]]
"""Function with the arguments of `rcae.detector.detector.Detector.inspect_many`."""

LARGEST_BATCH_BYTES = 2**28
"""Pixels in one batch, and pixels read ahead: no further image is added beyond (our choice)."""


@dataclass(frozen=True)
class _Read(Generic[Source]):
    source: Source
    content: Photograph | ImageError
    """The image, or the error that prevented reading."""
    duration_s: float
    """Duration of reading and decoding."""

    @property
    def photograph(self) -> Photograph:
        """The image; raises the error that prevented reading."""
        if isinstance(self.content, ImageError):
            raise self.content
        return self.content


@dataclass(frozen=True)
class Inspected(_Read[Source]):
    """An image with its answer."""

    answer: Detection | ImageError


def inspected(
    read: Callable[[Source], Photograph],
    inspect: Inspect,
    sources: Iterable[Source],
    at_once: int,
) -> Iterator[Inspected[Source]]:
    """Yield every image with its answer, in order.

    The next images are read while the model is busy. Memory holds twice `at_once` images, and no more
    however many follow.

    Args:
        read: function that reads a source; it is called by several threads.
        inspect: function that answers for a batch.
        sources: images, see `GivenImage`.
        at_once: largest number of images in a batch.

    Raises:
        StorageError, MissingExtraError: a URL cannot be read now.
    """
    with ThreadPoolExecutor(min(at_once, core_count())) as readers:
        try:
            images = _read_ahead(readers, read, sources, at_once)
            while batch := _batch(images, at_once):
                yield from _answered(inspect, batch)
        finally:
            readers.shutdown(wait=True, cancel_futures=True)


def _read_ahead(
    readers: ThreadPoolExecutor,
    read: Callable[[Source], Photograph],
    sources: Iterable[Source],
    at_once: int,
) -> Iterator[_Read[Source]]:
    waiting: deque[Future[_Read[Source]]] = deque()
    for source in sources:
        waiting.append(readers.submit(_timed, read, source))
        while len(waiting) > at_once or (
            len(waiting) > 1 and _bytes(waiting) > LARGEST_BATCH_BYTES
        ):
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()


def _bytes(waiting: Iterable[Future[_Read[Source]]]) -> int:
    return sum(
        _byte_count(one.result()) for one in waiting if one.done() and one.exception() is None
    )


def _byte_count(image: _Read[Source]) -> int:
    return 0 if isinstance(image.content, ImageError) else image.content.image.nbytes


def _timed(read: Callable[[Source], Photograph], source: Source) -> _Read[Source]:
    started_at = time.perf_counter()
    try:
        content: Photograph | ImageError = read(source)
    except ImageError as error:
        content = error
    return _Read(source, content, time.perf_counter() - started_at)


def _batch(images: Iterator[_Read[Source]], at_once: int) -> list[_Read[Source]]:
    """Take the next batch; it is empty at the end."""
    batch: list[_Read[Source]] = []
    byte_count = 0
    while len(batch) < at_once and byte_count <= LARGEST_BATCH_BYTES:
        image = next(images, None)
        if image is None:
            break
        batch.append(image)
        byte_count += _byte_count(image)
    return batch


def _answered(inspect: Inspect, batch: list[_Read[Source]]) -> Iterator[Inspected[Source]]:
    """Yield the answers of a batch and empty it, so that no image stays in memory for long."""
    now = time.perf_counter()
    readable = [one for one in batch if not isinstance(one.content, ImageError)]
    started_at = [now - one.duration_s for one in readable]
    answers = iter(inspect([one.photograph for one in readable], started_at))
    readable.clear()
    while batch:
        one = batch.pop(0)
        answer = one.content if isinstance(one.content, ImageError) else next(answers)
        yield Inspected(one.source, one.content, one.duration_s, answer)
