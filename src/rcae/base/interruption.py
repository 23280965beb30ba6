"""Requests to stop, honoured between two steps of the work; Ctrl-C and SIGTERM are such requests."""

import math
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from types import FrameType

from rcae.base.errors import StoppedError

GRACE_S = 5.0
"""Time that the images at hand have after a request to stop (our choice)."""

_must_stop: ContextVar[Callable[[], bool]] = ContextVar("must_stop", default=lambda: False)


class StopRequest:
    """Flag that is set when somebody asks the work to stop."""

    requested = False
    _until_s = math.inf

    @property
    def is_overdue(self) -> bool:
        """True once GRACE_S have passed since somebody asked."""
        return time.monotonic() > self._until_s

    def ask(self) -> None:
        """Ask the work to stop."""
        self.requested, self._until_s = True, time.monotonic() + GRACE_S

    def wait(self, longest_s: float) -> None:
        """Wait for this many seconds, or until somebody asks to stop."""
        until = time.monotonic() + longest_s
        while not self.requested and (left_s := until - time.monotonic()) > 0:
            time.sleep(min(left_s, 0.1))  # a signal may arrive while an Event holds its lock


@contextmanager
def stop_on_signal() -> Iterator[StopRequest]:
    """Turn the first SIGINT or SIGTERM into a request; a second one acts at once, as usual.

    Nothing changes outside the main thread, because Python allows no signal handlers there.
    """
    request = StopRequest()
    if threading.current_thread() is not threading.main_thread():
        yield request
        return
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def ask(number: int, frame: FrameType | None) -> None:  # noqa: ARG001
        request.ask()
        restore()

    def restore() -> None:
        for number, handler in before.items():
            signal.signal(number, handler)

    for number in before:
        signal.signal(number, ask)
    try:
        yield request
    finally:
        restore()


@contextmanager
def stoppable(must_stop: Callable[[], bool]) -> Iterator[None]:
    """Let work inside the block end with a StoppedError once `must_stop` returns True; in this thread."""
    token = _must_stop.set(must_stop)
    try:
        yield
    finally:
        _must_stop.reset(token)


def require_going_on() -> None:
    """Mark a place where work may end.

    Raises:
        StoppedError: the condition of the surrounding `stoppable` holds.
    """
    if _must_stop.get()():
        raise StoppedError("the inspection was stopped, and nothing was recorded; send it again.")
