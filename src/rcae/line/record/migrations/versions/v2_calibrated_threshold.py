"""Migration 2: the calibrated threshold that an applied threshold replaced."""

import sqlalchemy as sa
from alembic import op

revision = "2"
down_revision = "1"


def upgrade() -> None:
    """Add the column; it is null for thresholds applied before."""
    op.add_column("thresholds", sa.Column("calibrated_threshold", sa.Float(53)))
