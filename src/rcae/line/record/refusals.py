"""Explanations of database errors, with a remedy for each."""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Engine
from sqlalchemy.exc import DatabaseError, DBAPIError, SQLAlchemyError

from rcae.base.errors import DataError, StorageError

_REMEDIES = {
    "locked": "Another program holds it; end that program's transaction",
    "lock timeout": "Another program holds it; end that program's transaction",
    "full": "Free space on its disk",
    "No space": "Free space on its disk",
    "readonly": "Give this user the right to write it and its folder",
    "read-only": "Give it a server that may be written",
    "permission denied": "Give this user the right to use it",
    "unable to open": "Check its folder, and that this user may write there",
    "disk I/O": "Check its disk",
}
"""Remedy for each part of a database message."""
_OTHERWISE = "Check that the database runs and can be reached"
_DAMAGED = ("not a database", "malformed")


@contextmanager
def explained(engine: Engine) -> Iterator[None]:
    """Turn a database error inside the block into a StorageError or DataError.

    Raises:
        StorageError: the database cannot be reached, is locked for long, full or read-only.
        DataError: the file is of another kind, or damaged.
    """
    try:
        yield
    except SQLAlchemyError as error:
        reason = _without_password(_reason(error), engine)
        if isinstance(error, DatabaseError) and any(text in reason for text in _DAMAGED):
            raise DataError(
                f"{shown(engine)} is not a record, or is damaged ({reason}); give another file, or "
                "restore it from a backup."
            ) from error
        remedies = (remedy for text, remedy in _REMEDIES.items() if text in reason)
        raise StorageError(
            f"the record {shown(engine)} cannot be used now ({reason}); this was not recorded. "
            f"{next(remedies, _OTHERWISE)}, then try again."
        ) from error


def shown(engine: Engine) -> str:
    """Return the location for people, without password and options; an option may hold a password."""
    if engine.dialect.name == "sqlite":
        return str(engine.url.database)
    server = {key: value for key, value in engine.url.query.items() if key in ("host", "port")}
    url = engine.url.set(drivername="postgresql", query=server)
    return url.render_as_string(hide_password=True)


def _reason(error: SQLAlchemyError) -> str:
    said = error.orig if isinstance(error, DBAPIError) else error
    return str(said).strip().split("\n")[0]


def _without_password(text: str, engine: Engine) -> str:
    passwords = (engine.url.password, *map(engine.url.query.get, ("password", "sslpassword")))
    for password in passwords:
        if password:
            text = text.replace(str(password), "***")
    return text
