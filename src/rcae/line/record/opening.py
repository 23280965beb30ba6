"""The record and its pictures, as `--store` names them."""

from pathlib import Path
from typing import TYPE_CHECKING

from rcae.base.errors import UsageError
from rcae.base.extras import require

if TYPE_CHECKING:
    from rcae.line.record.kept_images import KeptImages
    from rcae.line.record.record import Record

STORE = "inspections.sqlite"
"""Default of `--store`."""
IMAGES_FOLDER = "inspections-images"


def open_record(store: str, *, purpose: str) -> "Record":
    """Open a record: a file (SQLite), or the URL of a PostgreSQL database.

    Args:
        store: File or URL.
        purpose: Subject of the error where the extra is missing.

    Raises:
        MissingExtraError: the extra `record` is not installed.
        UsageError, DataError, StorageError: see `Record.open`.
    """
    _require_installed(purpose)
    from rcae.line.record.record import Record

    return Record.open(store)


def open_existing_record(store: str, *, purpose: str) -> "Record":
    """Open a record like `open_record`; a missing file is an error instead of a new record."""
    _require_installed(purpose)
    from rcae.line.record.database import sqlite_file

    file = sqlite_file(store)
    if file is not None and not file.is_file():
        raise UsageError(
            f"{store} does not exist; give the record of 'rcae serve', 'rcae watch' or 'rcae camera' "
            "with --store."
        )
    return open_record(store, purpose=purpose)


def kept_images(store: str, keep_images_mib: float = 0) -> "KeptImages":
    """Return the pictures beside a record; the record must be open."""
    from rcae.line.record.database import sqlite_file
    from rcae.line.record.kept_images import KeptImages

    file = sqlite_file(store)
    beside = Path() if file is None else file.parent
    return KeptImages(beside / IMAGES_FOLDER, keep_images_mib)


def _require_installed(purpose: str) -> None:
    require("sqlalchemy", "alembic", "filelock", purpose=purpose)
