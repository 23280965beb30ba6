"""Request and response bodies of the service, besides `Inspection` and `Drift`."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from http import HTTPStatus
from typing import Annotated, Any

from fastapi.responses import JSONResponse
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from rcae.line.record.dead_letters import DeadLetter
from rcae.line.record.inspection import Inspection, Verdict
from rcae.service.served_model import ServedModel

PROBLEM_TYPE = "application/problem+json"


@dataclass(frozen=True)
class Problem:
    """Body of every error response (RFC 9457)."""

    title: str
    """Meaning of the status."""
    status: int
    detail: str
    """The value received, the rule, and the fix."""


def problem(status: int, detail: str, headers: Mapping[str, str] | None = None) -> JSONResponse:
    """Return an error response."""
    body = asdict(Problem(HTTPStatus(status).phrase, status, detail))
    return JSONResponse(body, status, headers, PROBLEM_TYPE)


@dataclass(frozen=True)
class Unusable:
    """Replacement of an inspection for an image that could not be inspected."""

    source: str
    error: str


@dataclass(frozen=True)
class Results:
    """Results of several images, in their order."""

    results: list[Inspection | Unusable]


@dataclass(frozen=True)
class Inspections:
    """Inspections, newest first."""

    inspections: list[Inspection]


@dataclass(frozen=True)
class DeadLettersAnswer:
    """Inspections that outputs could not deliver; 'rcae resend' sends them again."""

    counts: dict[str, int]
    """Number of dead letters by output."""
    dead_letters: list[DeadLetter]
    """The last ones, newest first."""


@dataclass(frozen=True)
class Scores:
    """Scores of the last inspections, oldest first."""

    scores: list[float]


@dataclass(frozen=True)
class ModelAnswer:
    """A served model."""

    name: str
    model_sha256: str
    """SHA-256 of the weights; it names the model to thresholds and drift."""
    executed_sha256: str
    """SHA-256 of what is executed: of the weights of a run, of the bytes of an exported file."""
    threshold: float
    """Threshold in force now."""
    calibrated_threshold: float
    lowest_threshold: float
    """Applied thresholds lie above it."""
    highest_threshold: float
    """Applied thresholds are at most this."""
    false_alarm_rate: float
    promise: str
    """Guarantee of the calibrated threshold."""
    calibration_scores: tuple[float, ...]
    """Calibration scores in ascending order."""
    typical_value: float
    changed_on_disk: bool
    """True if the file holds another model by now; the loaded model stays until a restart."""
    has_card: bool

    @classmethod
    def of(cls, model: ServedModel) -> "ModelAnswer":
        """Return the present state of a model; raise StorageError if the record cannot be read."""
        calibration = model.inspector.detector.calibration
        return cls(
            name=model.name,
            model_sha256=model.inspector.model_sha256,
            executed_sha256=model.inspector.executed_sha256,
            threshold=model.inspector.threshold,
            calibrated_threshold=calibration.threshold,
            lowest_threshold=calibration.threshold_range[0],
            highest_threshold=calibration.threshold_range[1],
            false_alarm_rate=calibration.false_alarm_rate,
            promise=calibration.promise,
            calibration_scores=calibration.all_scores,
            typical_value=calibration.typical_value,
            changed_on_disk=model.file.changed_on_disk,
            has_card=model.file.card is not None,
        )


def _of_person(name: str) -> str:
    if sum(letter.isalpha() for letter in name) < 2:
        raise ValueError("a person's name has at least two letters")
    return name.strip()


Author = Annotated[str, Field(min_length=1, max_length=100)]
Person = Annotated[Author, AfterValidator(_of_person)]
"""Name of a person who answers for a change."""
Reason = Annotated[str, Field(min_length=3, max_length=2000, pattern=r"\S")]
PathText = Annotated[str, Field(max_length=4096)]
"""Path of a file; the longest path on Linux has as many bytes."""


class _Request(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class NewThreshold(_Request):
    """Threshold that decides from now on."""

    threshold: Annotated[float, Field(allow_inf_nan=False)]
    author: Person
    reason: Reason


class Acknowledgement(_Request):
    """A person's word that the drift is known."""

    author: Person
    reason: Reason


class NewReview(_Request):
    """A person's verdict on an inspected image."""

    verdict: Verdict
    author: Author
    note: Annotated[str, Field(max_length=2000)] = ""


class Paths(_Request):
    """Absolute paths of image files on the service's own machine."""

    paths: Annotated[list[PathText], Field(min_length=1)]


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Return the OpenAPI description of the errors that a request may be answered with."""
    return {status: {"model": Problem, "description": _MEANING[status]} for status in statuses}


_MEANING = {
    400: "The request cannot be read.",
    401: "The API key is missing or wrong.",
    403: "A page of another site, or a path outside the allowed folders.",
    404: "There is no such thing.",
    408: "The request took too long to arrive.",
    410: "The picture is not kept any more.",
    413: "Too large, or too many images.",
    415: "Not a form, or no image of a kind that is read.",
    421: "Asked under a foreign name.",
    422: "A value breaks a rule, or the image cannot be inspected.",
    503: "Busy, shutting down, or the record refused: nothing was recorded, try again.",
    504: "It took too long; it is still being inspected and recorded.",
}
