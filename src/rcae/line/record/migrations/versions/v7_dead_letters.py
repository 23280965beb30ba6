"""Migration 7: inspections that an output could not deliver."""

import sqlalchemy as sa
from alembic import op

revision = "7"
down_revision = "6"

NUMBER = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    """Create the table."""
    op.create_table(
        "dead_letters",
        sa.Column("number", NUMBER, primary_key=True, autoincrement=True),
        sa.Column("reader", sa.String, nullable=False),
        sa.Column("output", sa.String, nullable=False),
        sa.Column("inspection", NUMBER, sa.ForeignKey("inspections.number"), nullable=False),
        sa.Column("reason", sa.String, nullable=False),
        sa.Column("time", sa.DateTime, nullable=False),
        sa.Column("is_due", sa.Boolean, nullable=False),
        sa.UniqueConstraint("reader", "inspection"),
        sqlite_autoincrement=True,
    )
