"""Upgrade of a database to the current schema."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, inspect

from rcae.base.errors import DataError
from rcae.line.record.database import alone
from rcae.line.record.refusals import shown

MIGRATIONS = Path(__file__).parent / "migrations"


def bring_up_to_date(engine: Engine) -> None:
    """Run the missing migrations; an empty database gets all of them.

    Raises:
        DataError: the database belongs to another program, or to a newer version of rcae.
        StorageError: the database cannot be reached or written.
    """
    with alone(engine) as connection:
        _require_ours(connection, shown(engine))
        config = Config()
        config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


def _require_ours(connection: Connection, location: str) -> None:
    revision = MigrationContext.configure(connection).get_current_revision()
    known = {script.revision for script in ScriptDirectory(str(MIGRATIONS)).walk_revisions()}
    if revision is None and inspect(connection).get_table_names():
        raise DataError(f"{location} holds tables of something else; give another record.")
    if revision is not None and revision not in known:
        raise DataError(
            f"{location} was made by a newer version of rcae (schema {revision}); update rcae."
        )
