"""Drift of one model's scores, brought up to date from the record whenever somebody asks."""

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
    """Bets after an inspection, as powers of ten."""

    number: int
    """Of the inspection in the record."""
    images: int
    """Inspections of the model up to it."""
    shift_evidence: float
    rejection_evidence: float


@dataclass(frozen=True)
class Drift:
    """What `Monitor` says now; images are counted from 1, as in `DriftPoint.images`."""

    verdict: DriftVerdict
    images: int
    seen: int | None
    since: int | None
    alarm_evidence: float
    points: tuple[DriftPoint, ...]
    """At most 500, evenly spread, the last one included."""


class DriftWatch:
    """A monitor that has seen every inspection of a model, whichever process made it; thread-safe."""

    def __init__(self, record: Record, model: str, model_sha256: str, calibration: Calibration):
        self._record, self._model, self._model_sha256 = record, model, model_sha256
        self._monitor = Monitor(calibration)
        self._lock = threading.Lock()
        self._state: DriftState | None = None
        self._numbers = array("q")
        self._shift, self._rejection = array("d"), array("d")

    def now(self) -> Drift:
        """With all that is recorded by now; the first time this reads all of the model's inspections.

        Raises:
            StorageError: the record cannot be read; what was read before is kept.
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
