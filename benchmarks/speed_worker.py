"""A process that measures one model for `speed.py`: imports once, then forks for every case.

Started as `python speed_worker.py MODULE`. Each line on standard input is a case or, while one is
being measured, a command; each gets one line of JSON as its answer. The fork makes peak memory and
the number of threads those of the case alone, without importing again.
"""

import importlib
import json
import logging
import os
import sys
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

import numpy as np
from numpy.typing import NDArray

from rcae.base.machine import peak_memory_mib

Answer = dict[str, Any]


@dataclass(frozen=True)
class Contender:
    """What a case measures."""

    run: Callable[[], object]
    """The timed call."""
    describe: Callable[[], Answer] = dict
    """What else there is to say, asked for after all measuring and after peak memory was read."""


def random_images(case: dict[str, Any]) -> NDArray[np.uint8]:
    """[batch, height, width, 3]"""
    shape = (case["batch"], case["size_px"], case["size_px"], 3)
    return np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)


def main() -> None:
    """Serve cases until standard input ends."""
    warnings.simplefilter("ignore")
    logging.disable(logging.WARNING)
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # what libraries print must not look like an answer
    build, missing = None, ""
    try:
        build = importlib.import_module(sys.argv[1]).build
    except Exception as error:  # noqa: BLE001 - whatever is missing is the answer
        missing = _sentence(error)
    while line := sys.stdin.readline():
        if build is None:
            _answer(answers, {"failed": missing})
            continue
        child = os.fork()
        if child == 0:
            _measure(build, json.loads(line), answers)
            os._exit(0)
        _, status = os.waitpid(child, 0)
        if status:
            _answer(answers, {"failed": f"ended with status {os.waitstatus_to_exitcode(status)}"})


def _measure(build: Callable[[Answer], Contender], case: Answer, answers: TextIO) -> None:
    """Build and warm up; then answer "measure SECONDS" with latencies until "end"."""
    try:
        contender = build(case)
        if _seconds_of(contender.run) < case["patience_s"]:
            contender.run()
        _answer(answers, {})
        while (command := sys.stdin.readline().split()) and command[0] == "measure":
            _answer(answers, {"latencies_s": _latencies_s(contender.run, float(command[1]))})
        peak = peak_memory_mib()
        _answer(answers, {"peak_memory_mib": peak, **contender.describe()})
    except Exception as error:  # noqa: BLE001 - the table says why there is no figure
        _answer(answers, {"failed": _sentence(error)})


def _latencies_s(run: Callable[[], object], seconds: float) -> list[float]:
    """At least one call, then as many as fit."""
    latencies_s = [_seconds_of(run)]
    while sum(latencies_s) + latencies_s[-1] / 2 < seconds:
        latencies_s.append(_seconds_of(run))
    return latencies_s


def _seconds_of(run: Callable[[], object]) -> float:
    started_at = time.perf_counter()
    run()
    return time.perf_counter() - started_at


def _sentence(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]


def _answer(answers: TextIO, content: Answer) -> None:
    print(json.dumps(content), file=answers, flush=True)


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parent))
    # Builders import this file by its name: one and the same class of contender.
    sys.modules["speed_worker"] = sys.modules["__main__"]
    main()
