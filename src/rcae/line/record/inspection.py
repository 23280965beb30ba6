"""What is kept of one inspection, and how to ask for some of them."""

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Literal, Self
from uuid import uuid4

from rcae.detector.detection import Detection, Region

Verdict = Literal["good", "defect"]
ID = re.compile("[0-9a-f]{32}")
"""What every inspection's id looks like; nothing else ever becomes part of a file name."""


@dataclass(frozen=True)
class Review:
    """What a person said of an inspected image; the last one counts."""

    verdict: Verdict
    author: str
    note: str
    time: datetime
    """UTC."""


@dataclass(frozen=True)
class Inspection:
    """One image, inspected once."""

    source: str
    """Where the image came from, for people: an uploaded file's name or a path. Never used as a path."""
    image_sha256: str
    """Of the file as it came, in hex."""
    width_px: int
    height_px: int
    model: str
    """The model's name in the service: of its run folder or file."""
    model_sha256: str
    """`Runner.weights_sha256`."""
    anomaly_score: float
    p_value: float
    threshold: float
    """In force at the time."""
    is_defective: bool
    regions: tuple[Region, ...]
    duration_s: float
    time: datetime = field(default_factory=lambda: datetime.now(UTC))
    """UTC, when it was inspected."""
    id: str = field(default_factory=lambda: uuid4().hex)
    """32 hex digits; cannot be guessed. The idempotency key of everything sent about it."""
    number: int = 0
    """Its place in the record, counted from 1 in the order of commits; 0 until recorded."""
    reviews: tuple[Review, ...] = ()
    """Oldest first."""

    @classmethod
    def of(
        cls, detection: Detection, *, source: str, image_sha256: str, model: str, model_sha256: str
    ) -> Self:
        """What the model said of the image now, with a new id; not yet recorded.

        Args:
            detection: with its anomaly map [height, width] at the image's own size.
            source: as the field; so are the others.
            image_sha256: in hex.
            model: its name.
            model_sha256: in hex.
        """
        height_px, width_px = detection.anomaly_map.shape
        return cls(
            source=source,
            image_sha256=image_sha256,
            width_px=width_px,
            height_px=height_px,
            model=model,
            model_sha256=model_sha256,
            anomaly_score=detection.anomaly_score,
            p_value=detection.p_value,
            threshold=detection.threshold,
            is_defective=detection.is_defective,
            regions=detection.regions,
            duration_s=detection.duration_s,
        )


@dataclass(frozen=True)
class AppliedThreshold:
    """A threshold that a person applied to a model as it is calibrated; it decides until the next."""

    model_sha256: str
    threshold: float
    calibrated_threshold: float | None
    """That it was chosen against; None: it was applied before this was recorded."""
    author: str
    time: datetime
    """UTC."""


class ReviewState(StrEnum):
    """A person's last word."""

    GOOD = "good"
    DEFECT = "defect"
    NOT = "not"
    """Nobody said anything yet."""


@dataclass(frozen=True)
class Query:
    """Which inspections; what is None does not matter. Conditions are joined by "and"."""

    model: str | None = None
    model_sha256: str | None = None
    is_defective: bool | None = None
    reviewed: ReviewState | None = None
    since: datetime | None = None
    """This moment or later; with a time zone."""
    until: datetime | None = None
    """Before this moment."""
    source_contains: str | None = None
    """In the same case."""
    borderline: float | None = None
    """Anomaly scores within this share of their threshold: 0.1 means 0.9 to 1.1 times the threshold."""
    number_below: int | None = None
    number_above: int | None = None
