"""Migration 5: what is unusual about an image, like its size."""

import sqlalchemy as sa
from alembic import op

revision = "5"
down_revision = "4"


def upgrade() -> None:
    """Add the column; it is null for usual images, and for inspections before."""
    op.add_column("inspections", sa.Column("remark", sa.String))
