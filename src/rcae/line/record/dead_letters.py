"""Dead letters: inspections that an output could not deliver, until somebody has them sent again."""

from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import Connection, Engine, delete, func, insert, select, update

from rcae.line.record.database import reading, writing
from rcae.line.record.tables import dead_letters, inspections


@dataclass(frozen=True)
class DeadLetter:
    """An inspection that an output could not deliver."""

    output: str
    """Kind and address of the output, for people."""
    inspection: int
    """Number of the inspection in the record."""
    inspection_id: str
    reason: str
    """Last answer of the receiver."""
    time: datetime
    """Time of the last attempt, in UTC."""
    is_due: bool
    """True once somebody has asked to send it again."""


class DeadLetters:
    """Dead letters of all outputs on a record; every method raises StorageError if the database refuses."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def add(self, reader: str, output: str, inspection: int, reason: str) -> None:
        """Note that this output could not deliver this inspection; an earlier note of it is replaced."""
        values = {"output": output, "reason": reason, "time": datetime.now(UTC), "is_due": False}
        with writing(self._engine) as connection:
            _remove(connection, reader, inspection)
            row = insert(dead_letters).values(reader=reader, inspection=inspection, **values)
            connection.execute(row)

    def remove(self, reader: str, inspection: int) -> None:
        """Forget a dead letter that was delivered at last."""
        with writing(self._engine) as connection:
            _remove(connection, reader, inspection)

    def due(self, reader: str, limit: int) -> list[int]:
        """Return the numbers of inspections that this output shall send again, in order."""
        columns = dead_letters.c
        asked = select(columns.inspection).where(columns.reader == reader, columns.is_due)
        with reading(self._engine) as connection:
            ordered = asked.order_by(columns.inspection).limit(limit)
            return list(connection.execute(ordered).scalars())

    def newest(self, limit: int) -> list[DeadLetter]:
        """Return the last dead letters of all outputs, newest first."""
        columns = dead_letters.c
        asked = (
            select(
                columns.output,
                columns.inspection,
                inspections.c.id,
                columns.reason,
                columns.time,
                columns.is_due,
            )
            .join(inspections, inspections.c.number == columns.inspection)
            .order_by(columns.number.desc())
            .limit(limit)
        )
        with reading(self._engine) as connection:
            return [DeadLetter(*row) for row in connection.execute(asked)]

    def counts(self) -> dict[str, int]:
        """Return the number of dead letters of each output that has any, by its address for people."""
        columns = dead_letters.c
        asked = select(columns.output, func.count()).group_by(columns.output)
        with reading(self._engine) as connection:
            return dict(iter(connection.execute(asked)))

    def resend(self) -> None:
        """Let every output send its dead letters again."""
        with writing(self._engine) as connection:
            connection.execute(update(dead_letters).values(is_due=True))


def _remove(connection: Connection, reader: str, inspection: int) -> None:
    columns = dead_letters.c
    same = (columns.reader == reader, columns.inspection == inspection)
    connection.execute(delete(dead_letters).where(*same))
