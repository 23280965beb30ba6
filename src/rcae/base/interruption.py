"""Handling of Ctrl-C and SIGTERM as a request that is honoured between two steps of the work."""

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class StopRequest:
    """Flag that is set when somebody asks the work to stop."""

    requested = False

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
        request.requested = True
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
