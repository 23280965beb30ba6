"""Rows of predictions.jsonl and predictions.csv: one per image, written at once, read back."""

import csv
import errno
import json
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Any, Literal, Self, TextIO

import numpy as np
from pydantic import BaseModel, ConfigDict, ValidationError, model_validator

from rcae.base.arrays import Array
from rcae.base.errors import DataError, ImageError, StorageError, UsageError
from rcae.base.progress import shown
from rcae.base.storage import write_atomically, write_bytes
from rcae.base.text import printable
from rcae.data.remote import Location
from rcae.detector.detection import Detection, Region
from rcae.detector.detector import Detector
from rcae.detector.stream import Inspected
from rcae.drawing.pictures import HeatScale, overlay, png_bytes

COLUMNS = (
    "path",
    "anomaly_score",
    "p_value",
    "threshold",
    "decision",
    "region_count",
    "milliseconds",
    "error",
    "remark",
)
"""Columns of predictions.csv: attributes of `Prediction`."""
LONGEST_STEM_BYTES = 240
"""Largest part of an image's name in the name of its overlay or map.

Number and suffix are added to it, and the sum stays below 255 bytes, the limit of a file name.
"""


class Prediction(BaseModel):
    """Answer for one image; the fields are the keys of its row, in the same order.

    Raises:
        ValidationError: a type is wrong, a number is NaN or infinite, or an unreadable image has a score.
    """

    model_config = ConfigDict(frozen=True, strict=True, allow_inf_nan=False)

    path: str
    """Printable path, see `rcae.base.text.printable`."""
    threshold: float
    """Threshold in force when the image was inspected."""
    anomaly_score: float | None
    """Anomaly score; None where the image is unreadable."""
    p_value: float | None = None
    """Conformal p-value, 0..1; None where the image is unreadable, or the file older than p-values."""
    decision: Literal["good", "defective", "unreadable"]
    regions: tuple[Region, ...]
    """Regions, strongest first; empty unless the image is defective."""
    milliseconds: float | None
    """Time for this image, decoding included; None where it is unreadable."""
    error: str | None
    """Reason why the image is unreadable; None where it is readable."""
    remark: str | None = None
    """Sentences on what is unusual about the image, like its size; None for a usual one."""

    @classmethod
    def of(cls, path: Location, detection: Detection) -> Self:
        """Make the row of the image at `path` from its detection."""
        return cls(
            path=printable(path),
            threshold=detection.threshold,
            anomaly_score=detection.anomaly_score,
            p_value=detection.p_value,
            decision="defective" if detection.is_defective else "good",
            regions=detection.regions,
            milliseconds=round(1000 * detection.duration_s, 3),
            error=None,
            remark=None if detection.remark is None else printable(detection.remark),
        )

    @classmethod
    def unreadable(cls, path: Location, threshold: float, error: ImageError) -> Self:
        """Make the row of the image at `path`, which could not be inspected because of `error`."""
        return cls(
            path=printable(path),
            threshold=threshold,
            anomaly_score=None,
            decision="unreadable",
            regions=(),
            milliseconds=None,
            error=printable(error),
        )

    @model_validator(mode="after")
    def _require_score_or_error(self) -> Self:
        given = {self.anomaly_score is not None, self.milliseconds is not None, self.error is None}
        if given != {self.decision != "unreadable"}:
            raise ValueError(
                "an unreadable image has an error and neither score nor milliseconds, any other both"
            )
        return self

    @property
    def region_count(self) -> int:
        """Number of regions."""
        return len(self.regions)

    def to_json(self) -> str:
        """Return the row of predictions.jsonl, without its newline."""
        return json.dumps(self.model_dump(), ensure_ascii=False)


@dataclass(frozen=True)
class PredictionCounts:
    """Number of images with each decision."""

    good: int = 0
    defective: int = 0
    unreadable: int = 0

    @classmethod
    def of(cls, rows: Iterable[Prediction]) -> Self:
        """Count the decisions of rows."""
        counts = Counter[str](row.decision for row in rows)
        return cls(counts["good"], counts["defective"], counts["unreadable"])

    def __add__(self, other: Self) -> Self:
        return type(self)(
            self.good + other.good,
            self.defective + other.defective,
            self.unreadable + other.unreadable,
        )


@dataclass(frozen=True)
class Pictures:
    """Pictures of inspected images that are asked for."""

    output: Path
    overlays: bool = False
    """True for `overlays/<number>-<name>.png`."""
    maps: bool = False
    """True for `maps/<number>-<name>.npy`: float32 [height, width]."""

    def write(
        self, number: int, one: Inspected[Location], detection: Detection, scale: HeatScale
    ) -> None:
        """Write the pictures of an inspected image; the errors are those of `write_atomically`."""
        name = f"{number:06d}-{_shortened(PurePath(one.source).stem)}"
        if self.overlays:
            _write_overlay(
                self.output / "overlays" / f"{name}.png", one.photograph.image, detection, scale
            )
        if self.maps:
            _write_map(self.output / "maps" / f"{name}.npy", detection)


def predict_files(
    detector: Detector,
    paths: Sequence[Location],
    output: Path,
    *,
    overlays: bool = False,
    maps: bool = False,
) -> PredictionCounts:
    """Inspect images one after the other, and write `predictions.csv` and `predictions.jsonl`.

    The next image is decoded while the model is busy with the one before. Memory does not grow with the
    number of images. An unreadable image gets a row with its error.
    Each row is written at once, so that an interruption keeps the rows before it.

    Args:
        detector: Loaded detector.
        paths: Paths or URLs of images.
        output: Folder of the results, made if missing.
        overlays: True to write `overlays/<number>-<name>.png`, too.
        maps: True to write `maps/<number>-<name>.npy`, too: float32 [height, width].

    Raises:
        UsageError: `output` already holds predictions.
        StorageError: the disk refused a file; rows written before stay.
    """
    pictures = Pictures(output, overlays, maps)
    rows = predicted(detector, paths, pictures)
    return write_rows(shown(rows, "inspecting", total=len(paths)), output)


def write_rows(rows: Iterable[Prediction], output: Path) -> PredictionCounts:
    """Write `predictions.csv` and `predictions.jsonl`, each row at once; count the decisions.

    Raises:
        UsageError: `output` already holds predictions.
        StorageError: the disk refused a file; rows written before stay.
    """
    counts = PredictionCounts()
    with _result_files(output) as (table, lines):
        writer = csv.writer(table, lineterminator="\n")
        writer.writerow(COLUMNS)
        for row in rows:
            counts += PredictionCounts.of([row])
            lines.write(row.to_json() + "\n")
            writer.writerow(getattr(row, column) for column in COLUMNS)
            table.flush()
            lines.flush()
    return counts


def predicted(
    detector: Detector,
    locations: Iterable[Location],
    pictures: Pictures,
    first_number: int = 1,
) -> Iterator[Prediction]:
    """Yield the row of every image, in order; then write the pictures that are asked for.

    Args:
        detector: Loaded detector.
        locations: Paths or URLs.
        pictures: Pictures to write.
        first_number: Number of the first image in the names of pictures.

    Raises:
        StorageError: the disk refused a picture, or an object store cannot be read now.
    """
    for number, one in enumerate(detector.stream(locations), start=first_number):
        if isinstance(one.answer, ImageError):
            threshold = detector.calibration.threshold
            yield Prediction.unreadable(one.source, threshold, one.answer)
        else:
            yield Prediction.of(one.source, one.answer)
            pictures.write(number, one, one.answer, detector.heat_scale)


def _shortened(stem: str) -> str:
    """Cut an image's name to `LONGEST_STEM_BYTES`."""
    while len(os.fsencode(stem)) > LONGEST_STEM_BYTES:
        stem = stem[:-1]
    return stem


@contextmanager
def _result_files(output: Path) -> Iterator[tuple[TextIO, TextIO]]:
    """Open both tables for writing; earlier results are never overwritten."""
    as_table, as_lines = output / "predictions.csv", output / "predictions.jsonl"
    try:
        output.mkdir(parents=True, exist_ok=True)
        if as_lines.exists():  # before the table is made, which would be left empty
            raise FileExistsError(errno.EEXIST, "exists", str(as_lines))
        with (
            as_table.open("x", encoding="utf-8", newline="") as table,
            as_lines.open("x", encoding="utf-8") as lines,
        ):
            yield table, lines
    except FileExistsError as error:
        raise UsageError(
            f"{error.filename} already exists; choose another -o folder, so that no result is lost."
        ) from error
    except OSError as error:
        raise StorageError(
            f"{output} could not be written ({error.strerror or error}); rows written before are "
            "kept. Free space or choose another -o folder."
        ) from error


def _write_overlay(target: Path, pixels: Array, detection: Detection, scale: HeatScale) -> None:
    write_bytes(target, png_bytes(overlay(pixels, detection.anomaly_map, scale)))


def _write_map(target: Path, detection: Detection) -> None:
    def save(temporary: Path) -> None:
        with temporary.open("wb") as file:
            np.save(file, detection.anomaly_map, allow_pickle=False)

    write_atomically(target, save)


def read_predictions(files: Sequence[Path]) -> Iterator[Prediction]:
    """Yield the rows of all files in order, one at a time; keys that are no fields are ignored.

    Raises:
        UsageError: a file does not exist.
        DataError: a file cannot be read, holds no row, or a row breaks a rule; the error names file and
            line.
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
        keys = ", ".join(f"'{name}'" for name in Prediction.model_fields)
        raise DataError(
            f"{place}: {_reason(error)}. A row of predictions.jsonl has {keys}; mend or remove the line, "
            "or inspect the images again with 'rcae predict'."
        ) from error


def _reason(error: ValidationError) -> str:
    first: Any = error.errors()[0]
    if first["type"] == "json_invalid":
        return "this is not JSON"
    key = f"'{'.'.join(map(str, first['loc']))}': " if first["loc"] else ""
    return f"{key}{first['msg']}"
