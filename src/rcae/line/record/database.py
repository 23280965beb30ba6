"""Which database a location names, and how it is opened, read and written."""

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
"""How long a writer waits for others, whose transactions take milliseconds, and for a silent server."""
CONNECT_TIMEOUT_S = 5
MIGRATIONS_LOCK = 7262
"""Of PostgreSQL's advisory locks: any number that no other program uses in the same database."""


def engine_for(location: str | Path) -> Engine:
    """An engine for a file or a URL; nothing is opened yet.

    Raises:
        UsageError: neither a file nor a URL that we know, or its folder does not exist.
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
    engine = create_engine(url, connect_args={"timeout": PATIENCE_S})
    event.listen(engine, "connect", _set_up_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def sqlite_file(location: str | Path) -> Path | None:
    """The file of a record in SQLite; None for one on a server.

    Raises:
        UsageError: neither a file nor a URL that we know.
    """
    url = _url(location)
    return Path(url.database or "") if url.get_backend_name() == "sqlite" else None


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """A connection in a transaction that only reads; errors as in `explained`."""
    with explained(engine), engine.connect() as connection:
        yield connection


@contextmanager
def writing(engine: Engine) -> Iterator[Connection]:
    """A connection in a transaction that is on the disk once this is left; undone after an error.

    Errors as in `explained`.
    """
    marked = engine.execution_options(writes=True)
    with explained(engine), marked.begin() as connection:
        yield connection


@contextmanager
def alone(engine: Engine) -> Iterator[Connection]:
    """As `writing`, while every other process that opens the record waits: for migrations."""
    if engine.dialect.name == "postgresql":
        with writing(engine) as connection:
            connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({MIGRATIONS_LOCK})")
            yield connection
    else:
        # More than a transaction: a new file's first one has to be prepared by one process alone.
        with _file_locked(f"{engine.url.database}.lock"), writing(engine) as connection:
            yield connection


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
    except (ArgumentError, ValueError):  # the latter: a port that is no number
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
        # Without these, a pulled cable would hold a call for a quarter of an hour.
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
    connection.isolation_level = None  # transactions are begun by `_begin_sqlite`
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
        connection.execute(f"PRAGMA {pragma}")


def _begin_sqlite(connection: Connection) -> None:
    """Writers queue from their first statement on, so that none fails half way for another's sake."""
    writes = connection.get_execution_options().get("writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _set_up_postgresql(connection: Any, _: object) -> None:
    connection.execute(f"SET lock_timeout = '{PATIENCE_S}s'")
    connection.execute(  # a commit that is acknowledged is on the disk, whatever the server's default
        "SELECT set_config('synchronous_commit', 'on', false) "
        "WHERE current_setting('synchronous_commit') = 'off'"
    )
    connection.commit()
