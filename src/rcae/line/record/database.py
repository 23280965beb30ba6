"""Database engine of a location, and its read and write transactions."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout
from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError

from rcae.base.errors import StorageError, UsageError
from rcae.base.extras import require
from rcae.line.record.refusals import explained

PATIENCE_S = 10
"""Seconds that a writer waits for other writers or a silent server.

Transactions take milliseconds.
"""
CONNECT_TIMEOUT_S = 5
MIGRATIONS_LOCK = 7262
"""Key of a PostgreSQL advisory lock; no other program may use it in the same database."""


def engine_for(location: str | Path) -> Engine:
    """Create an engine for a file or a URL without opening it.

    Raises:
        UsageError: the location is neither a file nor a known URL, or its folder does not exist.
        MissingExtraError: psycopg is not installed.
    """
    url = _url(location)
    if url.get_backend_name() == "postgresql":
        return _postgresql_engine(url)
    if url.database in (None, "", ":memory:"):
        raise UsageError("a record in SQLite needs a file; give one like inspections.sqlite.")
    folder = Path(str(url.database)).absolute().parent
    if not folder.is_dir():
        raise UsageError(
            f"{folder} does not exist; make this folder for the record, or give another."
        )
    file = _SameFile(Path(str(url.database)))
    engine = create_engine(
        url, connect_args={"timeout": PATIENCE_S}, execution_options={"same_file": file}
    )
    event.listen(engine, "connect", _set_up_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def sqlite_file(location: str | Path) -> Path | None:
    """Return the file of a record in SQLite, or None for a record on a server.

    Raises:
        UsageError: the location is neither a file nor a known URL.
    """
    url = _url(location)
    return Path(url.database or "") if url.get_backend_name() == "sqlite" else None


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """Open a connection in a read-only transaction; errors are those of `explained`."""
    _require_same_file(engine)
    with explained(engine), engine.connect() as connection:
        yield connection


@contextmanager
def writing(engine: Engine) -> Iterator[Connection]:
    """Open a connection in a transaction that is committed to disk at the end of the block.

    An error rolls it back. Errors are those of `explained`.
    """
    _require_same_file(engine)
    marked = engine.execution_options(writes=True)
    with explained(engine), marked.begin() as connection:
        yield connection
    _require_same_file(engine)


@contextmanager
def alone(engine: Engine) -> Iterator[Connection]:
    """Open a write transaction for migrations, and block other processes that open the record."""
    if engine.dialect.name == "postgresql":
        with writing(engine) as connection:
            connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({MIGRATIONS_LOCK})")
            yield connection
    else:
        # A transaction is not enough: one process alone must prepare a new file's first one.
        with _file_locked(f"{engine.url.database}.lock"), writing(engine) as connection:
            yield connection


class _SameFile:
    """Check that the file of a record is the one that was opened: SQLite goes on with a deleted one."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._opened: tuple[int, int] | None = None

    def require(self) -> None:
        """Note the file the first time it is there.

        Raises:
            StorageError: another file, or none, has taken the place of the noted one.
        """
        try:
            status = self._path.stat()
        except OSError:
            present = None
        else:
            present = (status.st_dev, status.st_ino)
        self._opened = self._opened or present
        if present != self._opened:
            raise StorageError(
                f"the record {self._path} was removed or replaced while in use; this was not recorded. "
                "Put the same file back, or restart."
            )


def _require_same_file(engine: Engine) -> None:
    file = engine.get_execution_options().get("same_file")
    if file is not None:
        file.require()


@contextmanager
def _file_locked(path: str) -> Iterator[None]:
    lock = FileLock(path, timeout=PATIENCE_S)
    try:
        lock.acquire()
    except Timeout as error:
        raise StorageError(
            f"{path} is held by another program for more than {PATIENCE_S} s; end it, then try again."
        ) from error
    except OSError as error:
        raise StorageError(
            f"{path} cannot be written ({error.strerror or error}); a record needs a folder that may "
            "be written."
        ) from error
    try:
        yield
    finally:
        lock.release()


def _url(location: str | Path) -> URL:
    text = str(location)
    if "://" not in text:
        return URL.create("sqlite", database=text)
    try:
        url = make_url(text)
    except (ArgumentError, ValueError):  # ValueError: a port that is no number
        url = None
    if url is None or url.drivername not in ("sqlite", "postgresql", "postgresql+psycopg"):
        kind = text.partition("://")[0]
        raise UsageError(
            f"a record at '{kind}://...' is not known; give a file for SQLite, or a URL like "
            "postgresql://user:password@host/database."
        )
    return url


def _postgresql_engine(url: URL) -> Engine:
    require("psycopg", purpose="a record in PostgreSQL")
    settings: dict[str, Any] = {
        "connect_timeout": CONNECT_TIMEOUT_S,
        # These limits end a call after a pulled cable, which would block it for 15 minutes.
        "tcp_user_timeout": PATIENCE_S * 1000,
        "keepalives_idle": PATIENCE_S,
        "keepalives_interval": PATIENCE_S,
        "keepalives_count": 1,
    }
    engine = create_engine(
        url.set(drivername="postgresql+psycopg"), connect_args=settings, pool_pre_ping=True
    )
    event.listen(engine, "connect", _set_up_postgresql)
    return engine


def _set_up_sqlite(connection: Any, _: object) -> None:
    connection.isolation_level = None  # `_begin_sqlite` begins transactions
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
        connection.execute(f"PRAGMA {pragma}")


def _begin_sqlite(connection: Connection) -> None:
    """Take the write lock at the start, so that no writer fails half way because of another."""
    writes = connection.get_execution_options().get("writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _set_up_postgresql(connection: Any, _: object) -> None:
    connection.execute(f"SET lock_timeout = '{PATIENCE_S}s'")
    connection.execute(  # an acknowledged commit is on disk, whatever the server's default
        "SELECT set_config('synchronous_commit', 'on', false) "
        "WHERE current_setting('synchronous_commit') = 'off'"
    )
    connection.commit()
