"""Batching: one thread inspects the requests that wait for one model together."""

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field

from rcae.base.errors import ImageError, RcaeError
from rcae.line.inspector import Arrival
from rcae.line.record.inspection import Inspection
from rcae.service.limits import BusyError

_TOGETHER_S = 0.25
"""Longest duration of a batch (our choice)."""
Answers = list[Inspection | ImageError]


class StoppingError(RcaeError):
    """The service is shutting down and accepts no more requests."""


@dataclass(frozen=True)
class _Job:
    """Images of one request; they are never divided, so that all are recorded or none."""

    arrivals: Sequence[Arrival]
    answers: Future[Answers] = field(default_factory=Future)


class Batcher:
    """Bounded queue with one thread that empties it in batches.

    A batch has up to `images_at_once` images. The thread waits up to `gather_s` for more images to fill it.
    Batches are smaller if images take long, so that no image waits long for its neighbours.
    A request with more images forms its own batch.
    """

    def __init__(
        self,
        inspect: Callable[[Sequence[Arrival]], Answers],
        *,
        queue_images: int,
        images_at_once: int,
        wait_s: float,
        gather_s: float,
    ) -> None:
        """Start the thread.

        Args:
            inspect: method of an `Inspector`; only the thread calls it.
            queue_images: largest number of waiting images.
            images_at_once: largest number of images in a batch.
            wait_s: longest expected wait of an image, estimated from the duration of earlier images.
            gather_s: longest wait of the first image for others.
        """
        self._inspect = inspect
        self._queue_images, self._images_at_once = queue_images, images_at_once
        self._wait_s, self._gather_s = wait_s, gather_s
        self._image_s = 0.0
        """Moving average of the time per image, in seconds."""
        self._busy_with = 0
        """Number of images that are being inspected now."""
        self._waiting: deque[_Job] = deque()
        self._changed = threading.Condition()
        self._is_closed = False
        self._worker = threading.Thread(target=self._work, name="inspecting", daemon=True)
        self._worker.start()

    @property
    def waiting_images(self) -> int:
        """Number of images that wait now."""
        with self._changed:
            return self._count()

    @property
    def is_working(self) -> bool:
        """True if the thread is alive, so that waiting images will be inspected."""
        return self._worker.is_alive()

    def submit(self, arrivals: Sequence[Arrival]) -> Future[Answers]:
        """Queue the images of one request.

        An accepted image is inspected even if nobody waits for the answer any more.

        Raises:
            BusyError: the queue is full.
            StoppingError: the batcher is closed.
        """
        job = _Job(arrivals)
        job.answers.set_running_or_notify_cancel()  # a running future cannot be cancelled
        with self._changed:
            if self._is_closed:
                raise StoppingError(
                    "The service is shutting down; send this again once it is back."
                )
            is_late = (self._busy_with + self._count()) * self._image_s > self._wait_s
            if is_late or self._count() + len(arrivals) > self._queue_images:
                raise BusyError(
                    f"{self._count()} images are waiting already; send this again soon."
                )
            self._waiting.append(job)
            self._changed.notify_all()
        return job.answers

    def close(self) -> None:
        """Accept no more images, and return once all waiting images are answered."""
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()
        self._worker.join()

    def _room(self) -> int:
        """Return the size of the next batch."""
        if self._image_s * self._images_at_once <= _TOGETHER_S:
            return self._images_at_once
        return max(1, int(_TOGETHER_S / self._image_s))

    def _count(self) -> int:
        return sum(len(job.arrivals) for job in self._waiting)

    def _work(self) -> None:
        while jobs := self._next():
            arrivals = [arrival for job in jobs for arrival in job.arrivals]
            started_at = time.perf_counter()
            try:
                answers = self._inspect(arrivals)
            except Exception as error:  # noqa: BLE001  the waiting request raises it; the thread continues
                self._note_done()
                for job in jobs:
                    job.answers.set_exception(error)
                continue
            self._note_done((time.perf_counter() - started_at) / len(arrivals))
            for job in jobs:
                job.answers.set_result(answers[: len(job.arrivals)])
                answers = answers[len(job.arrivals) :]

    def _note_done(self, image_s: float | None = None) -> None:
        """Update the load before the answers are set, because a client might ask again at once."""
        with self._changed:
            self._busy_with = 0
            if image_s is not None:
                self._image_s += 0.2 * (image_s - self._image_s)

    def _next(self) -> list[_Job]:
        """Return the next batch; it is empty once the batcher is closed and nothing waits."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._is_closed)
            self._changed.wait_for(
                lambda: self._count() >= self._room() or self._is_closed, self._gather_s
            )
            jobs: list[_Job] = []
            room = self._room()
            while self._waiting and (not jobs or len(self._waiting[0].arrivals) <= room):
                jobs.append(self._waiting.popleft())
                room -= len(jobs[-1].arrivals)
            self._busy_with = sum(len(job.arrivals) for job in jobs)
            return jobs
