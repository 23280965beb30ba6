"""Drift of a model's inspections after a number: the monitor, and the points of its chart."""

import io
from array import array
from dataclasses import dataclass
from typing import Self

import numpy as np

from rcae.detector.calibration import Calibration
from rcae.evaluation.drift.monitor import DriftVerdict, Monitor
from rcae.line.record.inspection import Inspection

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
    is_complete: bool
    """False while recorded inspections are still being read."""
    seen: int | None
    since: int | None
    alarm_evidence: float
    points: tuple[DriftPoint, ...]
    """Points of the chart, 500 at most, evenly spaced, the last one included."""


class Observed:
    """Drift observed over the inspections after a number.

    Every `stride`-th inspection is a point of the chart. The stride doubles when there are too many points.
    """

    def __init__(self, calibration: Calibration, after: int) -> None:
        self.after = after
        self.images = 0
        self.last = after
        """Number of the last inspection that was observed."""
        self._monitor = Monitor(calibration)
        self._stride = 1
        self._numbers, self._counts = array("q"), array("q")
        self._shift, self._rejection = array("d"), array("d")

    @classmethod
    def restored(cls, calibration: Calibration, after: int, saved: bytes) -> Self:
        """Return the state that `saved` returned."""
        made = cls(calibration, after)
        with np.load(io.BytesIO(saved), allow_pickle=False) as arrays:
            made.images, made.last, made._stride = map(int, arrays["state"])
            made._monitor.restore(arrays["monitor"].tobytes())
            made._numbers, made._counts = (
                array("q", arrays[name].tobytes()) for name in ("numbers", "counts")
            )
            made._shift, made._rejection = (
                array("d", arrays[name].tobytes()) for name in ("shift", "rejection")
            )
        return made

    def saved(self) -> bytes:
        """Return the state in NumPy's .npz format."""
        buffer = io.BytesIO()
        np.savez(
            buffer,
            state=np.array([self.images, self.last, self._stride]),
            monitor=np.frombuffer(self._monitor.saved(), dtype=np.uint8),
            numbers=np.array(self._numbers),
            counts=np.array(self._counts),
            shift=np.array(self._shift),
            rejection=np.array(self._rejection),
        )
        return buffer.getvalue()

    def add(self, inspection: Inspection) -> None:
        """Observe the next inspection."""
        state = self._monitor.observe(inspection.anomaly_score)
        self.images, self.last = state.images, inspection.number
        if (self.images - 1) % self._stride == 0:
            self._numbers.append(inspection.number)
            self._counts.append(self.images)
            self._shift.append(state.shift_evidence)
            self._rejection.append(state.rejection_evidence)
        if len(self._numbers) > 2 * MOST_POINTS:
            self._stride *= 2
            for values in (self._numbers, self._counts, self._shift, self._rejection):
                del values[1::2]

    def drift(self, *, is_complete: bool) -> Drift:
        """Return the state for people."""
        state = self._monitor.state
        return Drift(
            verdict=state.verdict,
            images=self.images,
            is_complete=is_complete,
            seen=state.seen,
            since=state.since,
            alarm_evidence=self._monitor.alarm_evidence,
            points=self._points(),
        )

    def _points(self) -> tuple[DriftPoint, ...]:
        if not self.images:
            return ()
        state = self._monitor.state
        last = DriftPoint(self.last, self.images, state.shift_evidence, state.rejection_evidence)
        kept = zip(self._numbers, self._counts, self._shift, self._rejection, strict=True)
        points = [DriftPoint(*values) for values in kept if values[0] != self.last] + [last]
        places = np.linspace(0, len(points) - 1, min(len(points), MOST_POINTS)).round().astype(int)
        return tuple(points[place] for place in places)
