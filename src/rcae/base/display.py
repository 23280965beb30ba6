"""Places where a person reads progress and messages: a terminal, a notebook, or a file."""

import logging
import shutil
import sys
import time
from abc import abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

LOGGER = logging.getLogger("rcae")
"""Logger of every message of the package."""


class Display(logging.Handler):
    """Messages, and beside them one line of progress; threads may share it."""

    interval_s: float
    """Shortest time between two states of the line."""

    def __init__(self) -> None:
        super().__init__(logging.INFO)
        self._shown_at = time.monotonic()

    def emit(self, record: logging.LogRecord) -> None:
        """Write a message on a line of its own; a warning is called one."""
        is_warning = record.levelno >= logging.WARNING
        self._write(("warning: " if is_warning else "") + record.getMessage())

    def show(self, state: object) -> None:
        """Show a state as the line, unless the last one has just been shown."""
        now = time.monotonic()
        if now - self._shown_at >= self.interval_s:
            self._shown_at = now
            with self._locked():
                self._draw(str(state))

    def keep(self, line: str) -> None:
        """Leave a line as it is; the next state starts a new one."""
        with self._locked():
            self._finish(line)

    def forget(self) -> None:
        """Remove the line of work that is done, where a line can be removed."""

    def close_line(self) -> None:
        """End the line at the end of all work."""
        self.forget()

    @contextmanager
    def _locked(self) -> Iterator[None]:
        self.acquire()
        try:
            yield
        finally:
            self.release()

    @abstractmethod
    def _write(self, line: str) -> None: ...

    @abstractmethod
    def _draw(self, line: str) -> None: ...

    @abstractmethod
    def _finish(self, line: str) -> None: ...


class LogFile(Display):
    """A file or a pipe: whole lines, every few seconds, without control characters."""

    interval_s = 10.0

    def _write(self, line: str) -> None:
        print(line, file=sys.stderr, flush=True)  # noqa: T201

    _draw = _finish = _write


class Terminal(Display):
    """A terminal: the line is drawn over itself, and messages appear above it."""

    interval_s = 0.2

    def __init__(self) -> None:
        super().__init__()
        self._line = ""

    def forget(self) -> None:
        """Remove the line."""
        with self._locked():
            self._wipe()
            self._line = ""

    def _write(self, line: str) -> None:
        self._wipe()
        sys.stderr.write(f"{line}\n")
        if self._line:
            self._draw(self._line)

    def _draw(self, line: str) -> None:
        self._wipe()
        self._line = line[: _columns() - 1]
        sys.stderr.write(self._line)
        sys.stderr.flush()

    def _finish(self, line: str) -> None:
        self._line = ""
        self._write(line)

    def _wipe(self) -> None:
        sys.stderr.write(f"\r{' ' * (_columns() - 1)}\r")
        sys.stderr.flush()


class Notebook(Display):
    """A notebook: one output that changes, and messages as plain text."""

    interval_s = 0.5

    def __init__(self) -> None:
        super().__init__()
        self._handle: Any = None

    def close_line(self) -> None:
        """Empty the line."""
        if self._handle is not None:
            self._draw("")

    def _write(self, line: str) -> None:
        print(line)  # noqa: T201

    def _draw(self, line: str) -> None:
        content = {"text/plain": line}
        if self._handle is None:
            self._handle = _ipython().display.display(content, raw=True, display_id=True)
        else:
            self._handle.update(content, raw=True)

    def _finish(self, line: str) -> None:
        self._draw(line)
        self._handle = None


def display_here() -> Display:
    """Return the display that suits this process."""
    ipython = _ipython()
    if ipython is not None and hasattr(ipython.get_ipython(), "kernel"):
        return Notebook()
    return Terminal() if sys.stderr.isatty() else LogFile()


@contextmanager
def messages_on(display: Display, *, always: bool) -> Iterator[None]:
    """Write messages from level INFO to a display inside the block.

    Args:
        display: the place.
        always: False leaves them to the program's own handlers, if it has any.
    """
    if LOGGER.hasHandlers() and not always:
        yield
        return
    level = LOGGER.level
    LOGGER.addHandler(display)
    LOGGER.setLevel(logging.INFO)
    try:
        yield
    finally:
        LOGGER.removeHandler(display)
        LOGGER.setLevel(level)


@contextmanager
def closing_line(display: Display) -> Iterator[None]:
    """End the line of a display at the end of the block."""
    try:
        yield
    finally:
        display.close_line()


def _ipython() -> Any:
    """Return IPython if this process uses it, else None."""
    return sys.modules.get("IPython")


def _columns() -> int:
    return shutil.get_terminal_size().columns
