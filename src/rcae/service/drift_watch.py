"""Drift of one model's scores, updated from the record on each request."""

import threading
from array import array
from dataclasses import dataclass

import numpy as np

from rcae.detector.calibration import Calibration
from rcae.evaluation.drift.monitor import DriftState, DriftVerdict, Monitor
from rcae.line.record.inspection import Query
from rcae.line.record.record import Record

MOST_POINTS = 500


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
    seen: int | None
    since: int | None
    alarm_evidence: float
    points: tuple[DriftPoint, ...]
    """Points of the chart, 500 at most, evenly spaced, the last one included."""


class DriftWatch:
    """Monitor of every inspection of a model by any process; thread-safe."""

    def __init__(self, record: Record, model: str, model_sha256: str, calibration: Calibration):
        self._record, self._model, self._model_sha256 = record, model, model_sha256
        self._monitor = Monitor(calibration)
        self._lock = threading.Lock()
        self._state: DriftState | None = None
        self._numbers = array("q")
        self._shift, self._rejection = array("d"), array("d")

    def now(self) -> Drift:
        """Return the drift of all recorded inspections; the first call reads all of them.

        Raises:
            StorageError: the record cannot be read; earlier inspections are kept.
        """
        with self._lock:
            self._catch_up()
            state = self._state
            return Drift(
                verdict=state.verdict if state else DriftVerdict.NONE,
                images=len(self._numbers),
                seen=state.seen if state else None,
                since=state.since if state else None,
                alarm_evidence=self._monitor.alarm_evidence,
                points=self._points(),
            )

    def _catch_up(self) -> None:
        last = self._numbers[-1] if self._numbers else 0
        query = Query(model=self._model, model_sha256=self._model_sha256, number_above=last)
        for inspection in self._record.each(query):
            self._state = self._monitor.observe(inspection.anomaly_score)
            self._numbers.append(inspection.number)
            self._shift.append(self._state.shift_evidence)
            self._rejection.append(self._state.rejection_evidence)

    def _points(self) -> tuple[DriftPoint, ...]:
        count = len(self._numbers)
        places = np.linspace(0, count - 1, min(count, MOST_POINTS)).round().astype(int)
        return tuple(
            DriftPoint(self._numbers[i], int(i) + 1, self._shift[i], self._rejection[i])
            for i in places
        )
