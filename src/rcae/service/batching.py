"""Batching: one thread inspects the requests that wait for one model together."""

import math
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from functools import partial

from rcae.base.errors import ImageError, RcaeError, StoppedError
from rcae.base.interruption import require_going_on, stoppable
from rcae.line.inspector import Arrival
from rcae.line.record.inspection import Inspection
from rcae.service.limits import BusyError

_TOGETHER_S = 0.25
"""Longest expected duration of a batch (our choice)."""
Answers = list[Inspection | ImageError]


class StoppingError(RcaeError):
    """The service is shutting down and accepts no more requests."""


@dataclass(frozen=True, eq=False)
class Job:
    """Images of one request; they are never divided, so that all are recorded or none."""

    arrivals: Sequence[Arrival]
    work_px: int
    """Pixels that the model draws for all of them."""
    answers: Future[Answers] = field(default_factory=Future)
    given_up: threading.Event = field(default_factory=threading.Event)
    """Set once nobody waits for the answers any more."""


class Batcher:
    """Bounded queue with one thread that empties it in batches.

    A batch has up to `images_at_once` images. The thread waits up to `gather_s` for more images to fill it.
    Batches are smaller if images take long, so that no image waits long for its neighbours.
    A request with more work forms its own batch.
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
        self._pixel_s = 0.0
        """Moving average of the time per drawn pixel, in seconds."""
        self._least_pixel_s = math.inf
        self._busy_with_px = 0
        """Work that is being done now."""
        self._waiting: deque[Job] = deque()
        self._changed = threading.Condition()
        self._is_closed = False
        self._until_s = math.inf
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

    def least_s(self, work_px: int) -> float:
        """Return the time that so much work takes at the best speed seen so far; 0 before the first image."""
        with self._changed:
            return 0.0 if math.isinf(self._least_pixel_s) else work_px * self._least_pixel_s

    def submit(self, arrivals: Sequence[Arrival], work_px: int) -> Job:
        """Queue the images of one request, for which the model draws so many pixels.

        Raises:
            BusyError: the queue is full.
            StoppingError: the batcher is closed.
        """
        job = Job(arrivals, work_px)
        job.answers.set_running_or_notify_cancel()  # it ends by `give_up` alone
        with self._changed:
            if self._is_closed:
                raise StoppingError(
                    "The service is shutting down; send this again once it is back."
                )
            is_late = (self._busy_with_px + self._waiting_px()) * self._pixel_s > self._wait_s
            if is_late or self._count() + len(arrivals) > self._queue_images:
                raise BusyError(
                    f"{self._count()} images are waiting already; send this again soon."
                )
            self._waiting.append(job)
            self._changed.notify_all()
        return job

    def give_up(self, job: Job) -> None:
        """Take the request out of the queue, or stop it before its next tile unless others are drawn with it.

        Images that are drawn completely are recorded.
        """
        job.given_up.set()
        with self._changed:
            is_waiting = job in self._waiting
            if is_waiting:
                self._waiting.remove(job)
        if is_waiting:
            job.answers.set_exception(StoppedError("nobody waits for this inspection any more."))

    def stop_within(self, longest_s: float) -> None:
        """Accept no more images, and stop after this time; what is not done then raises a StoppedError."""
        with self._changed:
            self._is_closed, self._until_s = True, time.monotonic() + longest_s
            self._changed.notify_all()

    def close(self) -> None:
        """Accept no more images, and return once all waiting images are answered."""
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()
        self._worker.join()

    def _has_room(self, images: int, work_px: int) -> bool:
        """Return True if a batch may have so much in it."""
        return images <= self._images_at_once and work_px * self._pixel_s <= _TOGETHER_S

    def _count(self) -> int:
        return sum(len(job.arrivals) for job in self._waiting)

    def _waiting_px(self) -> int:
        return sum(job.work_px for job in self._waiting)

    def _work(self) -> None:
        while jobs := self._next():
            arrivals = [arrival for job in jobs for arrival in job.arrivals]
            started_at = time.perf_counter()
            try:
                with stoppable(partial(self._must_stop, jobs)):
                    require_going_on()
                    answers = self._inspect(arrivals)
            except Exception as error:  # noqa: BLE001  the waiting request raises it; the thread continues
                self._note_done()
                for job in jobs:
                    job.answers.set_exception(error)
                continue
            self._note_done(time.perf_counter() - started_at)
            for job in jobs:
                job.answers.set_result(answers[: len(job.arrivals)])
                answers = answers[len(job.arrivals) :]

    def _must_stop(self, jobs: Sequence[Job]) -> bool:
        return time.monotonic() > self._until_s or all(job.given_up.is_set() for job in jobs)

    def _note_done(self, duration_s: float | None = None) -> None:
        """Update the load before the answers are set, because a client might ask again at once."""
        with self._changed:
            if duration_s is not None:
                pixel_s = duration_s / self._busy_with_px
                self._pixel_s += 0.2 * (pixel_s - self._pixel_s)
                self._least_pixel_s = min(self._least_pixel_s, pixel_s)
            self._busy_with_px = 0

    def _next(self) -> list[Job]:
        """Return the next batch; it is empty once the batcher is closed and nothing waits."""
        jobs: list[Job] = []
        with self._changed:
            while not jobs and (self._waiting or not self._is_closed):
                self._changed.wait_for(lambda: self._waiting or self._is_closed)
                self._changed.wait_for(
                    lambda: (
                        self._is_closed or not self._has_room(self._count() + 1, self._waiting_px())
                    ),
                    self._gather_s,
                )
                while self._waiting and (not jobs or self._fits(jobs, self._waiting[0])):
                    jobs.append(self._waiting.popleft())
            self._busy_with_px = sum(job.work_px for job in jobs)
            return jobs

    def _fits(self, jobs: Sequence[Job], another: Job) -> bool:
        together = [*jobs, another]
        images = sum(len(job.arrivals) for job in together)
        return self._has_room(images, sum(job.work_px for job in together))
