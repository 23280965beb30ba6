"""Migration 6: the hash of what was executed, which an exported file cannot claim."""

import sqlalchemy as sa
from alembic import op

revision = "6"
down_revision = "5"


def upgrade() -> None:
    """Add the column; it is null for inspections before."""
    op.add_column("inspections", sa.Column("executed_sha256", sa.String(64)))
