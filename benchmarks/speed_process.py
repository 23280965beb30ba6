"""The processes that `speed.py` measures in, seen from outside."""

import contextlib
import json
import subprocess
from pathlib import Path
from typing import Any


class Worker:
    """A process that measures one model; see `speed_worker.py`."""

    def __init__(self, module: str, python: str, log: Path) -> None:
        with log.open("a") as errors:
            self._process = subprocess.Popen(  # noqa: S603 - our own file
                [python, str(Path(__file__).with_name("speed_worker.py")), module],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
            )

    def ask(self, line: str) -> dict[str, Any]:
        """One command, and its answer."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with contextlib.suppress(BrokenPipeError):
            print(line, file=self._process.stdin, flush=True)
        answer = self._process.stdout.readline()
        return json.loads(answer) if answer else {"failed": "the process ended; see the log"}

    def end(self) -> None:
        """Let the process go."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()
