"""How much one request, and all of them together, may ask of the service."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from rcae.base.errors import RcaeError
from rcae.data.image_files import MAXIMUM_PIXELS

MIB = 2**20


class BusyError(RcaeError):
    """There is no room now; the same request will be served a little later."""


@dataclass(frozen=True)
class Limits:
    """Our choices; far above what a camera sends, far below what a small machine has."""

    upload_bytes: int = 64 * MIB
    """Of a request with one image."""
    batch_bytes: int = 256 * MIB
    """Of a request with several images, or of files named by their paths."""
    batch_images: int = 64
    body_bytes: int = MIB
    """Of any other request: paths, a review, a threshold."""
    pixels: int = MAXIMUM_PIXELS
    """Of an image, read from its header before it is decoded."""
    memory_bytes: int = 512 * MIB
    """Of all requests in progress, together."""
    pictures_at_once: int = 2
    """That are made of kept images, for all requests together: a large one takes about a gigabyte."""
    queue_images: int = 128
    """That wait for one model."""
    wait_s: float = 20.0
    """That an image may be expected to wait; beyond, it is refused instead of being late."""
    images_at_once: int = 8
    """That are inspected together, where they come in one by one."""
    gather_s: float = 0.004
    """That the first image waits for others to join it."""
    answer_s: float = 60.0
    """Per image, from its arrival to its answer; so many times as long for several, up to `batch_s`."""
    batch_s: float = 300.0
    """Of a request with several, whatever their number, so that stopping has an end."""
    upload_s: float = 60.0
    """From the header of a request to the last byte of its body."""


class Memory:
    """Counts the bytes of all requests in progress; for one thread alone, the event loop's."""

    def __init__(self, limit_bytes: int) -> None:
        self._left_bytes = limit_bytes

    @contextmanager
    def share(self) -> Iterator["Share"]:
        """What one request holds, given back when the block ends."""
        share = Share(self)
        try:
            yield share
        finally:
            self._left_bytes += share.held_bytes

    def take(self, count: int) -> None:
        """Take bytes.

        Raises:
            BusyError: there are not so many left.
        """
        if count > self._left_bytes:
            raise BusyError("Too many images are on their way at once; send this one again soon.")
        self._left_bytes -= count


class Share:
    """Bytes that one request holds."""

    def __init__(self, memory: Memory) -> None:
        self.held_bytes = 0
        self._memory = memory

    def grow(self, count: int) -> None:
        """Hold more; raises BusyError where no memory is left."""
        self._memory.take(count)
        self.held_bytes += count
