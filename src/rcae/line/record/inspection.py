"""Fields of one inspection, and queries for inspections."""

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Literal, Self
from uuid import uuid4

from rcae.detector.detection import Detection, Region

Verdict = Literal["good", "defect"]
ID = re.compile("[0-9a-f]{32}")
"""Pattern of every inspection id; nothing else becomes part of a file name."""


@dataclass(frozen=True)
class Review:
    """A person's verdict on an inspected image; the last review counts."""

    verdict: Verdict
    author: str
    note: str
    time: datetime
    """Time of the review, in UTC."""


@dataclass(frozen=True)
class Inspection:
    """One image, inspected once."""

    source: str
    """Origin of the image, for people: an uploaded file's name or a path. It is never used as a path."""
    image_sha256: str
    """SHA-256 of the file as it arrived, in hex."""
    width_px: int
    height_px: int
    model: str
    """Name of the model in the service: the name of its run folder or file."""
    model_sha256: str
    """SHA-256 of the weights, `Runner.weights_sha256`."""
    anomaly_score: float
    p_value: float
    threshold: float
    """Threshold in force at the time."""
    is_defective: bool
    regions: tuple[Region, ...]
    duration_s: float
    executed_sha256: str | None = None
    """SHA-256 of what was executed, `Runner.executed_sha256`; None before this field existed."""
    remark: str | None = None
    """Sentences on what is unusual about the image, like its size; None for a usual one."""
    time: datetime = field(default_factory=lambda: datetime.now(UTC))
    """Time of the inspection, in UTC."""
    id: str = field(default_factory=lambda: uuid4().hex)
    """Random identifier of 32 hex digits, which cannot be guessed.

    It is the idempotency key of every message about the inspection.
    """
    number: int = 0
    """Position in the record, counted from 1 in the order of commits; 0 until recorded."""
    reviews: tuple[Review, ...] = ()
    """Reviews, oldest first."""

    @classmethod
    def of(
        cls,
        detection: Detection,
        *,
        id: str | None = None,  # noqa: A002
        source: str,
        image_sha256: str,
        model: str,
        model_sha256: str,
        executed_sha256: str,
    ) -> Self:
        """Make an inspection of a new detection, with a new id and the current time; it is not recorded.

        Args:
            id: Id, or None for a new one.
            detection: Detection with its anomaly map [height, width] at the image's own size.
            source: Value of the field `source`; each other argument is the field of its name, too.
            image_sha256: SHA-256 of the file, in hex.
            model: Name of the model.
            model_sha256: SHA-256 of the weights, in hex.
            executed_sha256: SHA-256 of what was executed, in hex.
        """
        height_px, width_px = detection.anomaly_map.shape
        return cls(
            source=source,
            image_sha256=image_sha256,
            width_px=width_px,
            height_px=height_px,
            model=model,
            model_sha256=model_sha256,
            executed_sha256=executed_sha256,
            anomaly_score=detection.anomaly_score,
            p_value=detection.p_value,
            threshold=detection.threshold,
            is_defective=detection.is_defective,
            regions=detection.regions,
            duration_s=detection.duration_s,
            remark=detection.remark,
            id=id or uuid4().hex,
        )


@dataclass(frozen=True)
class AppliedThreshold:
    """A threshold that a person applied to a calibrated model; it decides until the next."""

    model_sha256: str
    threshold: float
    calibrated_threshold: float | None
    """Calibrated threshold that it replaced; None if it was applied before this field existed."""
    author: str
    reason: str | None
    """Reason that the author gave; None if it was applied before this field existed."""
    time: datetime
    """Time of the change, in UTC."""


class ReviewState(StrEnum):
    """State of an inspection's last review."""

    GOOD = "good"
    DEFECT = "defect"
    NOT = "not"
    """State without any review."""


@dataclass(frozen=True)
class Query:
    """Filter of inspections. Conditions are joined by "and"; None sets no condition."""

    model: str | None = None
    model_sha256: str | None = None
    is_defective: bool | None = None
    reviewed: ReviewState | None = None
    since: datetime | None = None
    """Earliest time, inclusive; with a time zone."""
    until: datetime | None = None
    """Latest time, exclusive; with a time zone."""
    source_contains: str | None = None
    """Part of the source, case-sensitive."""
    borderline: float | None = None
    """Largest relative distance of the score from its threshold: 0.1 means 0.9 to 1.1 times the threshold."""
    number_below: int | None = None
    number_above: int | None = None
