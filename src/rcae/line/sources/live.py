"""Newest frame of a source that does not wait: a stream or a camera."""

import threading
import time
from collections.abc import Iterator
from dataclasses import replace

from rcae.base.errors import RcaeError, StorageError
from rcae.base.interruption import StopRequest
from rcae.line.patience import Patience
from rcae.line.sources.frames import Frame, VideoSource

LOOK_S = 0.1
"""Interval between two checks for a stop request while no frame arrives."""


def newest_frames(source: VideoSource, every_s: float, stop: StopRequest) -> Iterator[Frame]:
    """Yield the newest frame on each request, at least `every_s` after the previous one.

    Raises:
        UsageError: the source cannot be opened. A source that breaks later is reopened.
    """
    reader = _Reader(source)
    try:
        while not stop.requested:
            frame = reader.take(LOOK_S)
            if frame is not None:
                due_at = time.monotonic() + every_s
                yield frame
                stop.wait(due_at - time.monotonic())
    finally:
        reader.close()


class _Reader:
    """Thread that reads all frames and holds the last, so that no frame ages in a buffer."""

    def __init__(self, source: VideoSource) -> None:
        self._source = source
        self._changed = threading.Condition()
        self._newest: Frame | RcaeError | None = None
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._read, name=source.name, daemon=True)
        self._thread.start()

    def take(self, longest_s: float) -> Frame | None:
        """Return a frame that was not taken before, or None if none arrives in time."""
        with self._changed:
            self._changed.wait_for(lambda: self._newest is not None, longest_s)
            newest, self._newest = self._newest, None
        if isinstance(newest, RcaeError):
            raise newest
        return newest

    def close(self) -> None:
        """Stop reading; a blocked read is abandoned."""
        self._stop.set()
        self._thread.join(1.0)

    def _read(self) -> None:
        patience = Patience(f"Reading {self._source.name}", self._stop.wait)
        number = 0
        while not self._stop.is_set():
            try:
                for frame in self._source.frames():
                    if self._stop.is_set():
                        return
                    patience.worked()
                    number += 1
                    self._put(replace(frame, number=number, time_s=0.0))
                patience.failed(StorageError("the stream ended; it is opened again."))
            except RcaeError as error:
                if not number:
                    self._put(error)
                    return
                patience.failed(error)

    def _put(self, newest: Frame | RcaeError) -> None:
        with self._changed:
            self._newest = newest
            self._changed.notify()
