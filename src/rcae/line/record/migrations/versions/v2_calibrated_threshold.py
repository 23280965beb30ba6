"""Which calibrated threshold an applied one was chosen against."""

import sqlalchemy as sa
from alembic import op

revision = "2"
down_revision = "1"


def upgrade() -> None:
    """Add it; of thresholds applied before, it is not known."""
    op.add_column("thresholds", sa.Column("calibrated_threshold", sa.Float(53)))
