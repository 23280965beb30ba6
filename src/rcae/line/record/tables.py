"""Tables of the record after the last migration."""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Dialect,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    UniqueConstraint,
)
from sqlalchemy.types import TypeDecorator


class UtcTime(TypeDecorator[datetime]):
    """Column type: UTC with a time zone in Python, a plain UTC timestamp in both databases."""

    impl = DateTime(timezone=False)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        """Convert a value for the database."""
        return None if value is None else value.astimezone(UTC).replace(tzinfo=None)

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        """Convert a value from the database."""
        return None if value is None else value.replace(tzinfo=UTC)


metadata = MetaData()
Number = BigInteger().with_variant(Integer, "sqlite")  # SQLite auto-increments only INTEGER keys

inspections = Table(
    "inspections",
    metadata,
    Column("number", Number, primary_key=True, autoincrement=True),
    Column("id", String(32), nullable=False, unique=True),
    Column("time", UtcTime, nullable=False, index=True),
    Column("source", String, nullable=False),
    Column("image_sha256", String(64), nullable=False),
    Column("width_px", Integer, nullable=False),
    Column("height_px", Integer, nullable=False),
    Column("model", String, nullable=False),
    Column("model_sha256", String(64), nullable=False),
    Column("anomaly_score", Float(53), nullable=False),
    Column("p_value", Float(53), nullable=False),
    Column("threshold", Float(53), nullable=False),
    Column("is_defective", Boolean, nullable=False),
    Column("regions", JSON, nullable=False),
    Column("duration_s", Float(53), nullable=False),
    Column("executed_sha256", String(64)),  # null if inspected before this column existed
    Column("remark", String),
    Column("verdict", String(6)),  # verdict of the last review; an index finds "not reviewed"
    Index("ix_inspections_image_sha256_model", "image_sha256", "model"),
    Index("ix_inspections_model_number", "model", "number"),
    Index("ix_inspections_model_sha256_number", "model_sha256", "number"),
    Index("ix_inspections_is_defective_number", "is_defective", "number"),
    Index("ix_inspections_verdict_number", "verdict", "number"),
    sqlite_autoincrement=True,
)

reviews = Table(
    "reviews",
    metadata,
    Column("number", Number, primary_key=True, autoincrement=True),
    Column("inspection", Number, ForeignKey("inspections.number"), nullable=False, index=True),
    Column("verdict", String(6), nullable=False),
    Column("author", String, nullable=False),
    Column("note", String, nullable=False),
    Column("time", UtcTime, nullable=False),
    sqlite_autoincrement=True,
)

thresholds = Table(
    "thresholds",
    metadata,
    Column("number", Number, primary_key=True, autoincrement=True),
    Column("model_sha256", String(64), nullable=False, index=True),
    Column("threshold", Float(53), nullable=False),
    Column("calibrated_threshold", Float(53)),  # null if applied before this column existed
    Column("author", String, nullable=False),
    Column("reason", String),  # null if applied before this column existed
    Column("time", UtcTime, nullable=False),
    sqlite_autoincrement=True,
)

changes = Table(
    "changes",
    metadata,
    Column("number", Number, primary_key=True, autoincrement=True),
    Column("kind", String(9), nullable=False),  # "model" or "drift"
    Column("model", String, nullable=False, index=True),
    Column("model_sha256", String(64), nullable=False),
    Column("executed_sha256", String(64), nullable=False),
    Column("calibrated_threshold", Float(53), nullable=False),
    Column("last_inspection", Number, nullable=False),  # drift is observed after it
    Column("author", String, nullable=False),
    Column("reason", String, nullable=False),
    Column("time", UtcTime, nullable=False),
    sqlite_autoincrement=True,
)

cursors = Table(
    "cursors",
    metadata,
    Column("reader", String, primary_key=True),
    Column("number", Number, nullable=False),
)

known_files = Table(
    "known_files",
    metadata,
    Column("place", String(64), primary_key=True),  # SHA-256 of model and path, of any length
    Column("stamp", String, nullable=False),  # size and times
)

dead_letters = Table(
    "dead_letters",
    metadata,
    Column("number", Number, primary_key=True, autoincrement=True),
    Column("reader", String, nullable=False),
    Column("output", String, nullable=False),
    Column("inspection", Number, ForeignKey("inspections.number"), nullable=False),
    Column("reason", String, nullable=False),
    Column("time", UtcTime, nullable=False),
    Column("is_due", Boolean, nullable=False),  # somebody asked to send it again
    UniqueConstraint("reader", "inspection"),
    sqlite_autoincrement=True,
)

drift_states = Table(
    "drift_states",
    metadata,
    Column("key", String(64), primary_key=True),  # SHA-256 of model, weights and calibration
    Column("after", Number, nullable=False),
    Column("content", LargeBinary, nullable=False),
)
