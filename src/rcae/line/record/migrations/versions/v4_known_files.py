"""Migration 4: files that were inspected, by their size and times."""

import sqlalchemy as sa
from alembic import op

revision = "4"
down_revision = "3"


def upgrade() -> None:
    """Create the table; files inspected before are read once more."""
    op.create_table(
        "known_files",
        sa.Column("place", sa.String(64), primary_key=True),
        sa.Column("stamp", sa.String, nullable=False),
    )
