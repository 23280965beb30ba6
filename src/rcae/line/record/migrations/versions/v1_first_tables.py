"""Migration 1: the first tables."""

import sqlalchemy as sa
from alembic import op

revision = "1"
down_revision = None

NUMBER = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    """Create the tables."""
    op.create_table(
        "inspections",
        sa.Column("number", NUMBER, primary_key=True, autoincrement=True),
        sa.Column("id", sa.String(32), nullable=False, unique=True),
        sa.Column("time", sa.DateTime, nullable=False),
        sa.Column("source", sa.String, nullable=False),
        sa.Column("image_sha256", sa.String(64), nullable=False),
        sa.Column("width_px", sa.Integer, nullable=False),
        sa.Column("height_px", sa.Integer, nullable=False),
        sa.Column("model", sa.String, nullable=False),
        sa.Column("model_sha256", sa.String(64), nullable=False),
        sa.Column("anomaly_score", sa.Float(53), nullable=False),
        sa.Column("p_value", sa.Float(53), nullable=False),
        sa.Column("threshold", sa.Float(53), nullable=False),
        sa.Column("is_defective", sa.Boolean, nullable=False),
        sa.Column("regions", sa.JSON, nullable=False),
        sa.Column("duration_s", sa.Float(53), nullable=False),
        sa.Column("verdict", sa.String(6)),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_inspections_time", "inspections", ["time"])
    op.create_index("ix_inspections_image_sha256", "inspections", ["image_sha256"])
    for column in ("model", "model_sha256", "is_defective", "verdict"):
        op.create_index(f"ix_inspections_{column}_number", "inspections", [column, "number"])
    op.create_table(
        "reviews",
        sa.Column("number", NUMBER, primary_key=True, autoincrement=True),
        sa.Column("inspection", NUMBER, sa.ForeignKey("inspections.number"), nullable=False),
        sa.Column("verdict", sa.String(6), nullable=False),
        sa.Column("author", sa.String, nullable=False),
        sa.Column("note", sa.String, nullable=False),
        sa.Column("time", sa.DateTime, nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_reviews_inspection", "reviews", ["inspection"])
    op.create_table(
        "thresholds",
        sa.Column("number", NUMBER, primary_key=True, autoincrement=True),
        sa.Column("model_sha256", sa.String(64), nullable=False),
        sa.Column("threshold", sa.Float(53), nullable=False),
        sa.Column("author", sa.String, nullable=False),
        sa.Column("time", sa.DateTime, nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_thresholds_model_sha256", "thresholds", ["model_sha256"])
    op.create_table(
        "cursors",
        sa.Column("reader", sa.String, primary_key=True),
        sa.Column("number", NUMBER, nullable=False),
    )
