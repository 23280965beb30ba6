"""Migration 3: an index for the question whether a model has inspected this content.

The source is not part of it: PostgreSQL indexes at most 2700 bytes, and a path may be longer.
"""

from alembic import op

revision = "3"
down_revision = "2"


def upgrade() -> None:
    """Replace the index of the hash alone, which SQLite passed over in favour of that of the model."""
    op.create_index("ix_inspections_image_sha256_model", "inspections", ["image_sha256", "model"])
    op.drop_index("ix_inspections_image_sha256", "inspections")
