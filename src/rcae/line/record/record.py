"""Record of every inspection, review and applied threshold, durable once a call returns."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, Engine, delete, func, insert, select, update

from rcae.line.record.changes import Changes
from rcae.line.record.database import engine_for, reading, writing
from rcae.line.record.dead_letters import DeadLetters
from rcae.line.record.drift_states import DriftStates
from rcae.line.record.inspection import AppliedThreshold, Inspection, Query, Review
from rcae.line.record.refusals import shown
from rcae.line.record.rows import conditions, read, row_of
from rcae.line.record.schema import bring_up_to_date
from rcae.line.record.tables import cursors, inspections, known_files, reviews, thresholds
from rcae.line.record.turn import Turn, turn

PAGE = 500
"""Number of inspections that `each` holds at once."""
ORDER_LOCK = 7263
"""Key of a PostgreSQL advisory lock, like `rcae.line.record.database.MIGRATIONS_LOCK`."""


class Record:
    """Record in SQLite (WAL, synchronous FULL) or PostgreSQL, safe for several threads and processes.

    Every method commits to disk before it returns. Numbers follow the order of commits: a reader that
    has seen number n never sees a smaller one appear. A reader can continue from its last number.
    Every method raises StorageError if the database refuses.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.dead_letters = DeadLetters(engine)
        """Inspections that outputs could not deliver."""
        self.changes = Changes(engine)
        """Changes of models and thresholds, and acknowledged drift."""
        self.drift_states = DriftStates(engine)
        """Saved states of drift."""

    @classmethod
    def open(cls, location: str | Path) -> Self:
        """Open a record, and create or migrate its schema (Alembic) if necessary.

        Args:
            location: a file for SQLite, or a URL "postgresql://user:password@host/database" or
                "sqlite:///FILE".

        Raises:
            UsageError: the location is no file or known URL, or its folder is missing. The password of the
                URL is never shown.
            MissingExtraError: psycopg is not installed.
            StorageError: the database cannot be reached, read or written, or is locked too long.
            DataError: the database is not a record, or was written by a newer version of rcae.
        """
        engine = engine_for(location)
        try:
            bring_up_to_date(engine)
        except BaseException:
            engine.dispose()
            raise
        return cls(engine)

    @property
    def location(self) -> str:
        """Location for people, without a password."""
        return shown(self._engine)

    def add(self, arrived: Sequence[Inspection]) -> list[Inspection]:
        """Record the inspections in one transaction and return them with their numbers.

        An inspection whose id is already recorded is not changed.
        """
        with writing(self._engine) as connection:
            _in_order_of_commits(connection)
            known = self._numbers(connection, [inspection.id for inspection in arrived])
            for inspection in arrived:
                if inspection.id not in known:
                    done = connection.execute(insert(inspections).values(row_of(inspection)))
                    known[inspection.id] = done.inserted_primary_key[0]  # type: ignore[index]
        return [replace(inspection, number=known[inspection.id]) for inspection in arrived]

    def get(self, inspection_id: str) -> Inspection | None:
        """Return the inspection with this id, reviews included."""
        with reading(self._engine) as connection:
            return next(iter(read(connection, inspections.c.id == inspection_id, limit=1)), None)

    def find(self, query: Query, *, limit: int, newest_first: bool = True) -> list[Inspection]:
        """Return at most `limit` matching inspections, by number; use `each` for more than a few thousand."""
        with reading(self._engine) as connection:
            return read(connection, *conditions(query), limit=limit, newest_first=newest_first)

    def each(self, query: Query, *, newest_first: bool = False) -> Iterator[Inspection]:
        """Yield all matching inspections, by number, in bounded memory."""
        while page := self.find(query, limit=PAGE, newest_first=newest_first):
            yield from page
            last = page[-1].number
            query = (
                replace(query, number_below=last)
                if newest_first
                else replace(query, number_above=last)
            )

    def count(self, query: Query) -> int:
        """Return the number of matching inspections."""
        counted = select(func.count()).select_from(inspections).where(*conditions(query))
        with reading(self._engine) as connection:
            return int(connection.execute(counted).scalar_one())

    def scores(self, query: Query, *, limit: int) -> NDArray[np.float64]:
        """Return the last `limit` matching anomaly scores, oldest first."""
        last = (
            select(inspections.c.anomaly_score)
            .where(*conditions(query))
            .order_by(inspections.c.number.desc())
            .limit(limit)
        )
        with reading(self._engine) as connection:
            found = connection.execute(last).scalars().all()
        return np.array(found[::-1], dtype=np.float64)

    def has(self, model: str, source: str, image_sha256: str) -> bool:
        """Return True if the model of this name inspected this content from this source."""
        column = inspections.c
        same = (column.image_sha256 == image_sha256, column.source == source, column.model == model)
        with reading(self._engine) as connection:
            found = connection.execute(select(column.number).where(*same).limit(1))
            return found.first() is not None

    def known_files(self, places: Sequence[str]) -> dict[str, str]:
        """Return the stamps of files that `note_files` noted, by place; others are left out."""
        columns = known_files.c
        asked = select(columns.place, columns.stamp).where(columns.place.in_(places))
        with reading(self._engine) as connection:
            return {row.place: row.stamp for row in connection.execute(asked)}

    def note_files(self, stamps: Mapping[str, str]) -> None:
        """Record the stamps of files by their places, 64 characters each; they replace earlier ones."""
        rows = [{"place": place, "stamp": stamp} for place, stamp in stamps.items()]
        with writing(self._engine) as connection:
            connection.execute(delete(known_files).where(known_files.c.place.in_(stamps)))
            connection.execute(insert(known_files), rows)

    def review(self, inspection_id: str, review: Review) -> Inspection | None:
        """Add a review and return the inspection, or None if there is no such inspection."""
        number = inspections.c.number
        # The row lock is held until the end, so that concurrent reviews are applied one by one.
        reviewed = select(number).where(inspections.c.id == inspection_id).with_for_update()
        with writing(self._engine) as connection:
            found = connection.execute(reviewed).scalar_one_or_none()
            if found is None:
                return None
            connection.execute(insert(reviews).values(inspection=found, **vars(review)))
            last_word = update(inspections).where(number == found).values(verdict=review.verdict)
            connection.execute(last_word)
            return read(connection, number == found, limit=1)[0]

    def threshold(self, model_sha256: str, calibrated_threshold: float) -> float | None:
        """Return the last threshold applied to this model with this calibration; None if there is none."""
        last = (
            select(thresholds.c.threshold)
            .where(thresholds.c.model_sha256 == model_sha256)
            .where(thresholds.c.calibrated_threshold == calibrated_threshold)
            .order_by(thresholds.c.number.desc())
            .limit(1)
        )
        with reading(self._engine) as connection:
            return connection.execute(last).scalar_one_or_none()

    def apply_threshold(
        self,
        model_sha256: str,
        threshold: float,
        calibrated_threshold: float,
        author: str,
        reason: str,
    ) -> None:
        """Record that this threshold replaces the calibrated one from now on; earlier entries stay."""
        now = datetime.now(UTC)
        applied = AppliedThreshold(
            model_sha256, threshold, calibrated_threshold, author, reason, now
        )
        with writing(self._engine) as connection:
            connection.execute(insert(thresholds).values(vars(applied)))

    def applied_thresholds(self, model_sha256: str) -> list[AppliedThreshold]:
        """Return all thresholds ever applied to this model, oldest first."""
        columns = [thresholds.c[name] for name in AppliedThreshold.__dataclass_fields__]
        ever = select(*columns).where(thresholds.c.model_sha256 == model_sha256)
        with reading(self._engine) as connection:
            rows = connection.execute(ever.order_by(thresholds.c.number)).all()
        return [AppliedThreshold(*row) for row in rows]

    def cursor(self, reader: str) -> int | None:
        """Return the last number this reader (an MQTT output, a webhook) has processed; None if it is new."""
        with reading(self._engine) as connection:
            return _cursor(connection, reader)

    def move_cursor(self, reader: str, number: int) -> None:
        """Record that this reader has processed everything up to `number`."""
        with writing(self._engine) as connection:
            if _cursor(connection, reader) is None:
                connection.execute(insert(cursors).values(reader=reader, number=number))
            else:
                moved = update(cursors).where(cursors.c.reader == reader)
                connection.execute(moved.values(number=number))

    def turn(self, name: str) -> Turn:
        """Return the lock of this name, which one process at a time can hold.

        The name must consist of characters that are valid in file names.
        """
        return turn(self._engine, name)

    def close(self) -> None:
        """Close all connections."""
        self._engine.dispose()

    @staticmethod
    def _numbers(connection: Connection, ids: Sequence[str]) -> dict[str, int]:
        found = select(inspections.c.id, inspections.c.number).where(inspections.c.id.in_(ids))
        return {row.id: row.number for row in connection.execute(found)}


def _in_order_of_commits(connection: Connection) -> None:
    """Take a lock so that numbers follow the order of commits in PostgreSQL.

    PostgreSQL would otherwise number rows before earlier rows are committed. SQLite has one writer at a
    time. A table lock would do as well, but would block PostgreSQL's vacuum.
    """
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({ORDER_LOCK})")


def _cursor(connection: Connection, reader: str) -> int | None:
    return connection.execute(
        select(cursors.c.number).where(cursors.c.reader == reader)
    ).scalar_one_or_none()
