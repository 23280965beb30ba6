"""Lock between all processes on one record, so that one at a time does a certain task."""

import hashlib
from contextlib import suppress
from typing import Protocol

from filelock import FileLock, Timeout
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import SQLAlchemyError

from rcae.base.errors import StorageError
from rcae.line.record.refusals import explained


class Turn(Protocol):
    """Lock that is released when its process ends, however it ends; for one thread."""

    def taken(self) -> bool:
        """Try to take the lock without waiting; return True if this process holds it.

        Raises:
            StorageError: the state of the lock is unknown at the moment.
        """

    def give_back(self) -> None:
        """Release the lock."""


def turn(engine: Engine, name: str) -> Turn:
    """Return the lock of this name between the processes on a record."""
    return (
        _SqliteTurn(engine, name) if engine.dialect.name == "sqlite" else _ServerTurn(engine, name)
    )


class _SqliteTurn:
    """Lock on a file beside the record."""

    def __init__(self, engine: Engine, name: str) -> None:
        self._lock = FileLock(f"{engine.url.database}.{name}.lock")

    def taken(self) -> bool:
        if not self._lock.is_locked:
            try:
                self._lock.acquire(blocking=False)
            except Timeout:
                return False
            except OSError as error:
                raise StorageError(
                    f"{self._lock.lock_file} cannot be locked ({error.strerror or error}); a record "
                    "needs a folder that may be written."
                ) from error
        return True

    def give_back(self) -> None:
        self._lock.release()


class _ServerTurn:
    """Advisory lock of PostgreSQL, held as long as its connection."""

    def __init__(self, engine: Engine, name: str) -> None:
        self._engine = engine
        self._key = int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], signed=True)
        self._held: Connection | None = None

    def taken(self) -> bool:
        with explained(self._engine):
            if self._held is not None and not self._is_alive(self._held):
                self.give_back()
            if self._held is None:
                self._held = self._tried()
        return self._held is not None

    def give_back(self) -> None:
        if self._held is not None:
            with suppress(SQLAlchemyError):  # a lost connection has lost its lock
                self._held.exec_driver_sql("SELECT pg_advisory_unlock_all()")
            self._held.close()
            self._held = None

    def _tried(self) -> Connection | None:
        connection = self._engine.connect().execution_options(isolation_level="AUTOCOMMIT")
        got = "SELECT pg_try_advisory_lock(%(key)s)"
        if connection.exec_driver_sql(got, {"key": self._key}).scalar_one():
            return connection
        connection.close()
        return None

    @staticmethod
    def _is_alive(connection: Connection) -> bool:
        try:
            connection.exec_driver_sql("SELECT 1")
        except SQLAlchemyError:
            return False
        return True
