"""What the service says, field by field, beside `Inspection` and `Drift`; and what it is told."""

from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from rcae.line.record.inspection import Inspection, Verdict
from rcae.service.served_model import ServedModel


@dataclass(frozen=True)
class Problem:
    """The body of every answer that is an error."""

    detail: str
    """What was received, the rule, the fix."""


@dataclass(frozen=True)
class Unusable:
    """In place of an inspection, for an image that could not be inspected."""

    source: str
    error: str


@dataclass(frozen=True)
class Results:
    """Of several images, in their order."""

    results: list[Inspection | Unusable]


@dataclass(frozen=True)
class Inspections:
    """Newest first."""

    inspections: list[Inspection]


@dataclass(frozen=True)
class Scores:
    """Of the last inspections, oldest first."""

    scores: list[float]


@dataclass(frozen=True)
class ModelAnswer:
    """A served model."""

    name: str
    model_sha256: str
    threshold: float
    """In force now."""
    calibrated_threshold: float
    false_alarm_rate: float
    promise: str
    """What the calibrated threshold promises."""
    calibration_scores: tuple[float, ...]
    """Rising."""
    typical_value: float
    changed_on_disk: bool
    """The file holds another model by now; this one goes on until the service is started again."""
    has_card: bool

    @classmethod
    def of(cls, model: ServedModel) -> "ModelAnswer":
        """As it is now; raises StorageError where the record cannot be read."""
        calibration = model.inspector.detector.calibration
        return cls(
            name=model.name,
            model_sha256=model.inspector.model_sha256,
            threshold=model.inspector.threshold,
            calibrated_threshold=calibration.threshold,
            false_alarm_rate=calibration.false_alarm_rate,
            promise=calibration.promise,
            calibration_scores=calibration.scores,
            typical_value=calibration.typical_value,
            changed_on_disk=model.file.changed_on_disk,
            has_card=model.file.card is not None,
        )


Author = Annotated[str, Field(min_length=1, max_length=100)]
PathText = Annotated[str, Field(max_length=4096)]
"""Of as many characters as the longest path on Linux has bytes."""


class _Request(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class NewThreshold(_Request):
    """What a person wants to decide from now on."""

    threshold: Annotated[float, Field(allow_inf_nan=False)]
    author: Author


class NewReview(_Request):
    """What a person says of an inspected image."""

    verdict: Verdict
    author: Author
    note: Annotated[str, Field(max_length=2000)] = ""


class Paths(_Request):
    """Absolute paths of image files on the service's own machine."""

    paths: Annotated[list[PathText], Field(min_length=1)]


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """For OpenAPI: errors that a request may be answered with."""
    return {status: {"model": Problem, "description": _MEANING[status]} for status in statuses}


_MEANING = {
    400: "The request cannot be read.",
    401: "The API key is missing or wrong.",
    403: "A page of another site, or a path outside the allowed folders.",
    404: "There is no such thing.",
    408: "The request took too long to arrive.",
    410: "The picture is not kept any more.",
    413: "Too large, or too many images.",
    415: "Not a form, or not a PNG, JPEG, BMP or TIFF image.",
    421: "Asked under a foreign name.",
    422: "A value breaks a rule, or the image cannot be inspected.",
    503: "Busy, shutting down, or the record refused: nothing was recorded, try again.",
    504: "It took too long; it is still being inspected and recorded.",
}
