"""Migration 9: the state of drift, so that a restart does not read all inspections again."""

import sqlalchemy as sa
from alembic import op

revision = "9"
down_revision = "8"

NUMBER = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    """Create the table."""
    op.create_table(
        "drift_states",
        sa.Column("key", sa.String(64), primary_key=True),
        sa.Column("after", NUMBER, nullable=False),
        sa.Column("content", sa.LargeBinary, nullable=False),
    )
