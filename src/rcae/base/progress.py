"""Progress and messages of long work: to callbacks, to the logger `rcae`, and to whoever watches.

A function of the package that works for long runs inside `following`. Its pieces of work report through
`shown` or `StageProgress`, its messages go through `say` and `warn`.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence, Sized
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TypeVar

from rcae.base.display import LOGGER, Display, closing_line, display_here, messages_on
from rcae.base.duration import clock

Item = TypeVar("Item")
_BAR_WIDTH = 20


@dataclass(frozen=True)
class Progress:
    """State of one piece of long work; as text, it is one line."""

    doing: str
    """Name of the work, like "inspecting test images" or "stage 1/3 reconstruction"."""
    done: int
    """Number of images or steps done."""
    total: int | None
    """Number of all of them; None while it is unknown."""
    left_s: float | None
    """Seconds left; those of a training stage include the later stages. None while it is unknown."""
    loss: float | None = None
    """Smoothed loss of a training stage; None for any other work."""
    images_per_s: float | None = None
    """Images that a training stage learns from in a second; None for any other work."""

    def __str__(self) -> str:
        facts = [f"{self.done}/{self.total}" if self.total else str(self.done)]
        if self.loss is not None:
            facts.append(f"loss {self.loss:.4f}")
        if self.images_per_s is not None:
            facts.append(f"{self.images_per_s:.1f} images/s")
        if self.left_s is not None:
            facts.append(f"{clock(self.left_s)} left")
        return f"{self.doing} {self._bar}{', '.join(facts)}"

    @property
    def _bar(self) -> str:
        if not self.total:
            return ""
        share = min(1.0, self.done / self.total)
        return f"{share:4.0%} |{'#' * int(share * _BAR_WIDTH):{_BAR_WIDTH}}| "


Callback = Callable[[Progress], object]
"""Function that gets every state of the work; what it raises ends the work."""


@dataclass(frozen=True)
class _Job:
    callbacks: tuple[Callback, ...]
    display: Display | None


_JOB: ContextVar[_Job | None] = ContextVar("job", default=None)
"""Work of this thread that somebody follows."""


@contextmanager
def following(
    *, quiet: bool = False, callbacks: Sequence[Callback] = (), is_command: bool = False
) -> Iterator[None]:
    """Let others follow the work inside the block: progress, and messages.

    A terminal shows a line that moves, and so does a notebook. A file gets a line every few seconds.
    Messages go to the logger `rcae`. They are also written where the progress is, unless the program
    has configured logging itself.

    Args:
        quiet: True shows no progress, and no message below a warning.
        callbacks: Functions that get every `Progress`, besides those of a block around this one.
        is_command: True for a command, whose messages appear however logging is configured.
    """
    outer = _JOB.get() or _Job((), None)
    everyone = (*outer.callbacks, *callbacks)
    display = outer.display
    is_new = display is None and not quiet
    if is_new:
        display = display_here()
    token = _JOB.set(_Job(everyone, None if quiet else display))
    try:
        if is_new and display is not None:
            with messages_on(display, always=is_command), closing_line(display):
                yield
        else:
            yield
    finally:
        _JOB.reset(token)


def say(text: str) -> None:
    """Log one message for the user."""
    LOGGER.info("%s", text)


def warn(text: str) -> None:
    """Log one message about what may be wrong, which is never silenced."""
    LOGGER.warning("%s", text)


def shown(items: Iterable[Item], doing: str, total: int | None = None) -> Iterator[Item]:
    """Iterate over `items`, and report after each one.

    Args:
        items: Any iterable; a lazy one that does the work itself is counted as well.
        doing: Name of the work.
        total: Number of items; the default is the length of `items`, if it has one.
    """
    if total is None and isinstance(items, Sized):
        total = len(items)
    started_at = time.perf_counter()
    try:
        for done, item in enumerate(items, start=1):
            yield item
            item_s = (time.perf_counter() - started_at) / done
            left_s = None if total is None else item_s * max(0, total - done)
            _report(Progress(doing, done, total, left_s))
    finally:
        if (job := _JOB.get()) is not None and job.display is not None:
            job.display.forget()


class StageProgress:
    """Progress of one training stage; the time left includes the later stages.

    `later_steps` is the work of the later stages, in steps of this stage.
    It was measured before training. It stays valid on a slower machine, because it is a ratio of speeds.
    """

    def __init__(
        self,
        title: str,
        *,
        first_step: int,
        steps: int,
        batch_size: int,
        later_steps: float,
    ) -> None:
        self._title, self._batch_size, self._later_steps = title, batch_size, later_steps
        self._first, self._done, self._steps = first_step, first_step, steps
        self._started_at = time.perf_counter()
        self._smoothed_loss: float | None = None
        self._state: Progress | None = None

    def step(self, loss: float) -> None:
        """Count one step and report it with its smoothed loss."""
        previous = loss if self._smoothed_loss is None else self._smoothed_loss
        self._smoothed_loss = 0.95 * previous + 0.05 * loss
        self._done += 1
        step_s = max(time.perf_counter() - self._started_at, 1e-9) / (self._done - self._first)
        self._state = Progress(
            self._title,
            self._done,
            self._steps,
            left_s=step_s * (self._steps - self._done + self._later_steps),
            loss=self._smoothed_loss,
            images_per_s=self._batch_size / step_s,
        )
        _report(self._state)

    def close(self) -> None:
        """Leave the last state where it can be read."""
        job = _JOB.get()
        if job is not None and job.display is not None and self._state is not None:
            job.display.keep(str(self._state))


def _report(state: Progress) -> None:
    job = _JOB.get()
    if job is None:
        return
    for callback in job.callbacks:
        callback(state)
    if job.display is not None:
        job.display.show(state)
