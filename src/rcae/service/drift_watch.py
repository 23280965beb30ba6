"""Drift of one model's scores, updated from the record on each request without blocking it."""

import threading
from array import array
from dataclasses import dataclass

import numpy as np

from rcae.base.errors import RcaeError
from rcae.detector.calibration import Calibration
from rcae.evaluation.drift.monitor import DriftState, DriftVerdict, Monitor
from rcae.line.record.inspection import Query
from rcae.line.record.record import Record

MOST_POINTS = 500
PATIENCE_S = 1.0
"""Longest wait of a request for inspections that are still being read (our choice)."""
PUBLISHED_EVERY = 5000
"""Number of inspections after which the drift so far is shown while more are being read."""


@dataclass(frozen=True)
class DriftPoint:
    """Evidence after an inspection, as log10 of the betting martingales."""

    number: int
    """Number of the inspection in the record."""
    images: int
    """Number of the model's inspections up to this one."""
    shift_evidence: float
    rejection_evidence: float


@dataclass(frozen=True)
class Drift:
    """Present state of `Monitor`; images are counted from 1, as in `DriftPoint.images`."""

    verdict: DriftVerdict
    images: int
    is_complete: bool
    """False while recorded inspections are still being read."""
    seen: int | None
    since: int | None
    alarm_evidence: float
    points: tuple[DriftPoint, ...]
    """Points of the chart, 500 at most, evenly spaced, the last one included."""


class DriftWatch:
    """Monitor of every inspection of a model by any process; thread-safe.

    One thread at a time reads new inspections. Requests never wait long for it, however many there are.
    """

    def __init__(self, record: Record, model: str, model_sha256: str, calibration: Calibration):
        self._record, self._model, self._model_sha256 = record, model, model_sha256
        self._monitor = Monitor(calibration)
        self._starting = threading.Lock()
        self._reader: threading.Thread | None = None
        self._state: DriftState | None = None
        self._numbers = array("q")
        self._shift, self._rejection = array("d"), array("d")
        self._error: RcaeError | None = None
        self._latest = self._drift(is_complete=False)

    def now(self, longest_s: float = PATIENCE_S) -> Drift:
        """Return the drift of all recorded inspections, or after `longest_s` of those read so far.

        Raises:
            StorageError: the record cannot be read; earlier inspections are kept.
        """
        with self._starting:
            if self._reader is None or not self._reader.is_alive():
                self._reader = threading.Thread(target=self._catch_up, daemon=True)
                self._reader.start()
            reader = self._reader
        reader.join(longest_s)
        if self._error is not None:
            raise self._error
        return self._latest

    def _catch_up(self) -> None:
        """Read new inspections; publish the drift after every few and at the end."""
        last = self._numbers[-1] if self._numbers else 0
        query = Query(model=self._model, model_sha256=self._model_sha256, number_above=last)
        try:
            for inspection in self._record.each(query):
                self._state = self._monitor.observe(inspection.anomaly_score)
                self._numbers.append(inspection.number)
                self._shift.append(self._state.shift_evidence)
                self._rejection.append(self._state.rejection_evidence)
                if len(self._numbers) % PUBLISHED_EVERY == 0:
                    self._latest = self._drift(is_complete=False)
            self._latest, self._error = self._drift(is_complete=True), None
        except RcaeError as error:
            self._error = error

    def _drift(self, *, is_complete: bool) -> Drift:
        state = self._state
        return Drift(
            verdict=state.verdict if state else DriftVerdict.NONE,
            images=len(self._numbers),
            is_complete=is_complete,
            seen=state.seen if state else None,
            since=state.since if state else None,
            alarm_evidence=self._monitor.alarm_evidence,
            points=self._points(),
        )

    def _points(self) -> tuple[DriftPoint, ...]:
        count = len(self._numbers)
        places = np.linspace(0, count - 1, min(count, MOST_POINTS)).round().astype(int)
        return tuple(
            DriftPoint(self._numbers[i], int(i) + 1, self._shift[i], self._rejection[i])
            for i in places
        )
