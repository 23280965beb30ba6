"""Audit of a model at the line: every change of model, calibration and threshold, and acknowledged drift."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal, NamedTuple

from sqlalchemy import Engine, Row, func, insert, select

from rcae.line.record.database import reading, writing
from rcae.line.record.tables import changes, inspections, thresholds

ChangeKind = Literal["model", "threshold", "drift"]


@dataclass(frozen=True)
class Change:
    """A change that a person made, also one that decided nothing."""

    kind: ChangeKind
    """"model": another model or calibration was loaded; "drift": drift was acknowledged."""
    model_sha256: str
    calibrated_threshold: float | None
    """Calibrated threshold at that time; None if it was not noted then."""
    threshold: float | None
    """Applied threshold; None if this is no change of a threshold."""
    author: str
    """Person, or the system user who started the process that loaded a model."""
    reason: str
    time: datetime
    """Time of the change, in UTC."""

    @property
    def description(self) -> str:
        """The change in a few words."""
        calibrated = (
            "unknown" if self.calibrated_threshold is None else f"{self.calibrated_threshold:.6g}"
        )
        if self.kind == "threshold":
            return f"threshold {self.threshold:.6g}, calibrated {calibrated}"
        if self.kind == "drift":
            return "drift acknowledged"
        return f"model {self.model_sha256[:8]}, calibrated threshold {calibrated}"


class Loaded(NamedTuple):
    """A model as a process has loaded it; another value of any field is another model to drift."""

    model: str
    """Name of the model."""
    model_sha256: str
    executed_sha256: str
    calibrated_threshold: float


class Changes:
    """Changes of all models on a record; every method raises StorageError if the database refuses."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def note_model(self, loaded: Loaded, author: str, time: datetime) -> None:
        """Note that a process has loaded this model, unless it is the one that was loaded last.

        The first one changes nothing for drift.
        """
        last = (
            select(*(changes.c[name] for name in Loaded._fields))
            .where(changes.c.model == loaded.model)
            .order_by(changes.c.number.desc())
            .limit(1)
        )
        with reading(self._engine) as connection:
            before = connection.execute(last).first()
        if before is None:
            self._add("model", loaded, author, "loaded first", time, last_inspection=0)
        elif tuple(before) != loaded:
            self._add("model", loaded, author, "loaded instead of another", time)

    def acknowledge_drift(self, loaded: Loaded, author: str, reason: str, time: datetime) -> None:
        """Note that a person knows of the drift; the monitor starts again after the last inspection."""
        self._add("drift", loaded, author, reason, time)

    def drift_starts_after(self, model: str) -> int:
        """Return the number of the last inspection before the last change of this model; 0 without one."""
        with reading(self._engine) as connection:
            last = select(func.max(changes.c.last_inspection)).where(changes.c.model == model)
            return int(connection.execute(last).scalar_one() or 0)

    def of(self, model: str, model_sha256: str) -> list[Change]:
        """Return all changes of the model of this name, and of its thresholds, oldest first."""
        noted = select(changes).where(changes.c.model == model)
        with reading(self._engine) as connection:
            rows = connection.execute(noted).all()
            known = {model_sha256, *(row.model_sha256 for row in rows)}
            applied = connection.execute(
                select(thresholds).where(thresholds.c.model_sha256.in_(known))
            ).all()
        found = [_change(row.kind, row, None) for row in rows]
        found += [_change("threshold", row, row.threshold) for row in applied]
        return sorted(found, key=lambda change: change.time)

    def _add(
        self,
        kind: ChangeKind,
        loaded: Loaded,
        author: str,
        reason: str,
        time: datetime,
        last_inspection: int | None = None,
    ) -> None:
        values = {"kind": kind, "author": author, "reason": reason, "time": time}
        values |= loaded._asdict()
        with writing(self._engine) as connection:
            if last_inspection is None:
                newest = select(func.max(inspections.c.number))
                last_inspection = connection.execute(newest).scalar_one() or 0
            connection.execute(insert(changes).values(last_inspection=last_inspection, **values))


def _change(kind: ChangeKind, row: Row[tuple[object, ...]], threshold: float | None) -> Change:
    return Change(
        kind=kind,
        model_sha256=row.model_sha256,
        calibrated_threshold=row.calibrated_threshold,
        threshold=threshold,
        author=row.author,
        reason=row.reason or "",
        time=row.time,
    )
