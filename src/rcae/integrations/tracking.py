"""Trackers of experiments by their names, and what each of them gets of a finished run."""

from collections.abc import Iterator
from contextlib import AbstractContextManager
from importlib import import_module
from typing import Any

from rcae.base.errors import UsageError
from rcae.base.settings import to_plain
from rcae.detector.run.run_folder import RunFolder
from rcae.training.observer import Observer

TRACKERS = ("tensorboard", "mlflow")


def tracked(tracker: str) -> AbstractContextManager[Observer]:
    """Return an observer for a training, which is closed at the end of the context.

    Args:
        tracker: "tensorboard" writes into the run folder; "mlflow" logs to MLFLOW_TRACKING_URI.

    Raises:
        UsageError: the tracker is not known.
        MissingExtraError: the tracker is not installed; the message gives the command that installs it.
    """
    if tracker not in TRACKERS:
        raise UsageError(f"tracker '{tracker}' is not known; choose from {', '.join(TRACKERS)}.")
    module = import_module(f"rcae.integrations.{tracker}")
    opened: AbstractContextManager[Observer] = module.opened()
    return opened


def settings_of(folder: RunFolder) -> dict[str, str]:
    """Return every setting of a run as text, by its name like `model.recursion_depth`."""
    return dict(_flat(to_plain(folder.read_settings()), ""))


def figures_of(folder: RunFolder) -> dict[str, float]:
    """Return the figures of a finished run: calibration, timings, memory, and weights of the evidence."""
    record = folder.read_record()
    plain = {key: record[key] for key in ("calibration", "timings_s", "peak_memory_mib")}
    plain["evidence"] = {one["name"]: one["weight"] for one in record.get("evidence", [])}
    numbers = {}
    for name, text in _flat(plain, ""):
        try:
            numbers[name] = float(text)
        except ValueError:
            continue  # a sentence, like the promise of the calibration
    return numbers


def _flat(tree: dict[str, Any], section: str) -> Iterator[tuple[str, str]]:
    for key, value in tree.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{section}{key}.")
        elif value is not None:
            yield f"{section}{key}", str(value)
