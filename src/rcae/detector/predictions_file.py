"""Files `predictions.jsonl`, as `rcae predict` writes them, read again."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from rcae.base.errors import DataError, UsageError


class Prediction(BaseModel):
    """What was said of one image; other keys of its row are left aside."""

    model_config = ConfigDict(frozen=True, strict=True, allow_inf_nan=False)

    path: str
    anomaly_score: float | None
    """None where the image was unreadable."""
    threshold: float
    """In force when the image was inspected."""


def read_predictions(files: Sequence[Path]) -> Iterator[Prediction]:
    """The rows of all files in order, one at a time.

    Raises:
        UsageError: there is no such file.
        DataError: one cannot be read, holds no row, or a row breaks a rule; names file and line.
    """
    for file in files:
        yield from _rows(file)


def _rows(file: Path) -> Iterator[Prediction]:
    number = 0
    try:
        with file.open("rb") as lines:
            for number, line in enumerate(lines, start=1):
                yield _prediction(line, f"{file}, line {number}")
    except FileNotFoundError as error:
        raise UsageError(
            f"{file} does not exist; give a predictions.jsonl that 'rcae predict' wrote."
        ) from error
    except OSError as error:
        raise DataError(f"{file} cannot be read ({error.strerror or error}).") from error
    if not number:
        raise DataError(f"{file} is empty; give a predictions.jsonl that holds a row per image.")


def _prediction(line: bytes, place: str) -> Prediction:
    try:
        return Prediction.model_validate_json(line)
    except ValidationError as error:
        raise DataError(
            f"{place}: {_reason(error)}. A row of predictions.jsonl has 'path', 'anomaly_score' (a "
            "finite number, or null) and 'threshold'; mend or remove the line, or inspect the images "
            "again with 'rcae predict'."
        ) from error


def _reason(error: ValidationError) -> str:
    first: Any = error.errors()[0]
    if first["type"] == "json_invalid":
        return "this is not JSON"
    key = f"'{first['loc'][0]}': " if first["loc"] else ""
    return f"{key}{first['msg']}"
