"""Migration 8: changes of models and calibrations, acknowledged drift, and reasons of thresholds."""

import sqlalchemy as sa
from alembic import op

revision = "8"
down_revision = "7"

NUMBER = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    """Create the table, and add the column; it is null for thresholds applied before."""
    op.create_table(
        "changes",
        sa.Column("number", NUMBER, primary_key=True, autoincrement=True),
        sa.Column("kind", sa.String(9), nullable=False),
        sa.Column("model", sa.String, nullable=False, index=True),
        sa.Column("model_sha256", sa.String(64), nullable=False),
        sa.Column("executed_sha256", sa.String(64), nullable=False),
        sa.Column("calibrated_threshold", sa.Float(53), nullable=False),
        sa.Column("last_inspection", NUMBER, nullable=False),
        sa.Column("author", sa.String, nullable=False),
        sa.Column("reason", sa.String, nullable=False),
        sa.Column("time", sa.DateTime, nullable=False),
        sqlite_autoincrement=True,
    )
    op.add_column("thresholds", sa.Column("reason", sa.String))
