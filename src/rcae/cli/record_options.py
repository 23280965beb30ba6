"""Options for the record and its pictures, shared by the commands at the line."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from rcae.base.errors import UsageError

if TYPE_CHECKING:
    from rcae.line.record.kept_images import KeptImages
    from rcae.line.record.record import Record

Command = TypeVar("Command", bound=Callable[..., Any])
IMAGES_FOLDER = "inspections-images"


def store_option(command: Command) -> Command:
    """Add `--store`; the command gets `store`."""
    option = click.option(
        "--store",
        default="inspections.sqlite",
        show_default=True,
        envvar="RCAE_STORE",
        show_envvar=True,
        metavar="FILE_OR_URL",
        help="Record: a file (SQLite), or postgresql://user:password@host/database.",
    )
    return option(command)


def store_options(command: Command) -> Command:
    """Add `--store` and `--keep-images-mib`; the command gets `store` and `keep_images_mib`."""
    option = click.option(
        "--keep-images-mib",
        type=click.FloatRange(min=0),
        default=10_000,
        show_default=True,
        help="Size limit of the pictures beside the record; 0 keeps none.",
    )
    return store_option(option(command))


def open_record(store: str, *, purpose: str) -> "Record":
    """Open the record that `--store` names.

    Raises:
        MissingExtraError: the extra `record` is not installed.
        UsageError, DataError, StorageError: see `Record.open`.
    """
    _require_installed(purpose)
    from rcae.line.record.record import Record

    return Record.open(store)


def open_existing_record(store: str, *, purpose: str) -> "Record":
    """Open the record that `--store` names; a missing file is an error instead of a new record."""
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
    """Return the pictures of the record that `--store` names; the record must be open."""
    from rcae.line.record.database import sqlite_file
    from rcae.line.record.kept_images import KeptImages

    file = sqlite_file(store)
    beside = Path() if file is None else file.parent
    return KeptImages(beside / IMAGES_FOLDER, keep_images_mib)


def _require_installed(purpose: str) -> None:
    from rcae.base.extras import require

    require("sqlalchemy", "alembic", "filelock", purpose=purpose)
