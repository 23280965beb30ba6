"""Saved states of drift, one for each model and calibration; they only save time."""

from sqlalchemy import Engine, delete, insert, select

from rcae.line.record.database import reading, writing
from rcae.line.record.tables import drift_states


class DriftStates:
    """States of drift on a record; every method raises StorageError if the database refuses."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def load(self, key: str, after: int) -> bytes | None:
        """Return the state under this key, if it begins after this inspection; None without one."""
        columns = drift_states.c
        asked = select(columns.content).where(columns.key == key, columns.after == after)
        with reading(self._engine) as connection:
            return connection.execute(asked).scalar_one_or_none()

    def save(self, key: str, after: int, content: bytes) -> None:
        """Replace the state under this key."""
        with writing(self._engine) as connection:
            connection.execute(delete(drift_states).where(drift_states.c.key == key))
            row = insert(drift_states).values(key=key, after=after, content=content)
            connection.execute(row)
