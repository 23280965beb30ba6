"""Limits of one request, and of all requests together."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from rcae.base.errors import RcaeError
from rcae.base.interruption import GRACE_S
from rcae.data.image_files import MAXIMUM_PIXELS

MIB = 2**20


class BusyError(RcaeError):
    """There is no capacity now; the same request will succeed a little later."""


@dataclass(frozen=True)
class Limits:
    """Our choices, far above what a camera sends and far below the memory of a small machine."""

    upload_bytes: int = 64 * MIB
    """Size of a request with one image."""
    batch_bytes: int = 256 * MIB
    """Size of a request with several images, or of files named by their paths."""
    batch_images: int = 64
    body_bytes: int = MIB
    """Size of any other request: paths, a review, a threshold."""
    pixels: int = MAXIMUM_PIXELS
    """Pixels of an image, read from its header before it is decoded."""
    memory_bytes: int = 512 * MIB
    """Memory of all requests in progress together."""
    pictures_at_once: int = 2
    """Pictures drawn at once for all requests together; a large one takes about a gigabyte."""
    queue_images: int = 128
    """Images that wait for one model."""
    wait_s: float = 20.0
    """Longest expected wait of an image; a request beyond it is refused at once."""
    images_at_once: int = 8
    """Images in a batch of single requests."""
    gather_s: float = 0.004
    """Wait of the first image of a batch for others."""
    answer_s: float = 60.0
    """Time per image from arrival to answer; a request has the sum of its images, up to `batch_s`."""
    batch_s: float = 300.0
    """Time of a request with several images, whatever their number."""
    shutdown_s: float = GRACE_S
    """Time of all accepted requests after SIGTERM; the rest is answered 503, and nothing of it recorded."""
    upload_s: float = 60.0
    """Time from the header of a request to the last byte of its body."""


class Memory:
    """Count of the bytes of all requests in progress; for the event loop's thread alone."""

    def __init__(self, limit_bytes: int) -> None:
        self._left_bytes = limit_bytes

    @contextmanager
    def share(self) -> Iterator["Share"]:
        """Yield the share of one request, which is returned at the end of the block."""
        share = Share(self)
        try:
            yield share
        finally:
            self._left_bytes += share.held_bytes

    def take(self, count: int) -> None:
        """Take bytes.

        Raises:
            BusyError: too few bytes are left.
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
        """Hold more bytes; raise BusyError if too few are left."""
        self._memory.take(count)
        self.held_bytes += count
