"""Folder in, results out: one row per image, written as it is known."""

import csv
import errno
import json
import os
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TextIO

import numpy as np

from rcae.base.arrays import Array
from rcae.base.errors import ImageError, StorageError, UsageError
from rcae.base.progress import shown
from rcae.base.storage import write_atomically, write_bytes
from rcae.base.text import printable
from rcae.data.images import read_image
from rcae.detector.detection import Detection
from rcae.detector.detector import Detector
from rcae.drawing.pictures import overlay, png_bytes

COLUMNS = (
    "path",
    "anomaly_score",
    "p_value",
    "threshold",
    "decision",
    "region_count",
    "milliseconds",
    "error",
)


LONGEST_STEM_BYTES = 240
"""Of an image in the name of its overlay or map: with number and suffix below the 255 of a file name."""


@dataclass(frozen=True)
class PredictionCounts:
    """How many images got which decision."""

    good: int = 0
    defective: int = 0
    unreadable: int = 0


def predict_files(
    detector: Detector,
    paths: Sequence[Path],
    output: Path,
    *,
    overlays: bool = False,
    maps: bool = False,
) -> PredictionCounts:
    """Inspect images one after the other into `predictions.csv` and `predictions.jsonl`.

    The next image is decoded while the model is busy with the one before. Memory does not grow with the
    number of images. An unreadable image gets a row with its error.
    Rows are written as they are known, so an interruption keeps what was inspected.

    Args:
        detector: loaded.
        paths: image files.
        output: a folder, made if missing.
        overlays: also write `overlays/<number>-<name>.png`.
        maps: also write `maps/<number>-<name>.npy`, float32 [height, width].

    Raises:
        UsageError: `output` already holds predictions.
        StorageError: the disk refused; rows written before stay.
    """
    decisions = {"good": 0, "defective": 0, "unreadable": 0}
    with _result_files(output) as (table, lines):
        writer = csv.DictWriter(table, COLUMNS, lineterminator="\n")
        writer.writeheader()
        images = shown(_read_ahead(paths), "inspecting", total=len(paths))
        for number, image in enumerate(images, start=1):
            row = _inspect(detector, image)
            detection = row.pop("detection")
            decisions[row["decision"]] += 1
            lines.write(json.dumps(row, ensure_ascii=False) + "\n")
            row["region_count"] = len(row.pop("regions"))
            writer.writerow(row)
            table.flush()
            lines.flush()
            if detection is not None:
                name = f"{number:06d}-{_shortened(image.path.stem)}"
                if overlays:
                    _write_overlay(output / "overlays" / f"{name}.png", detector, image, detection)
                if maps:
                    _write_map(output / "maps" / f"{name}.npy", detection)
    return PredictionCounts(**decisions)


def _shortened(stem: str) -> str:
    """As much of an image's name as fits into that of a file of ours."""
    while len(os.fsencode(stem)) > LONGEST_STEM_BYTES:
        stem = stem[:-1]
    return stem


@dataclass(frozen=True)
class _DecodedImage:
    path: Path
    content: Array | ImageError
    """[height, width, 3], or why there is none."""
    duration_s: float
    """That decoding took."""

    @property
    def pixels(self) -> Array:
        if isinstance(self.content, ImageError):
            raise self.content
        return self.content


def _read_ahead(paths: Sequence[Path]) -> Iterator[_DecodedImage]:
    """Every image in turn, the next being decoded by a thread of its own; at most two in memory."""
    with ThreadPoolExecutor(max_workers=1) as reader:
        following = iter(paths)
        waiting = _submitted(reader, following)
        while waiting is not None:
            image = waiting.result()
            waiting = _submitted(reader, following)
            yield image


def _submitted(
    reader: ThreadPoolExecutor, following: Iterator[Path]
) -> Future[_DecodedImage] | None:
    path = next(following, None)
    return None if path is None else reader.submit(_read, path)


def _read(path: Path) -> _DecodedImage:
    started_at = time.perf_counter()
    try:
        content: Array | ImageError = read_image(path)
    except ImageError as error:
        content = error
    return _DecodedImage(path, content, time.perf_counter() - started_at)


def _inspect(detector: Detector, image: _DecodedImage) -> dict[str, Any]:
    row: dict[str, Any] = {
        "path": printable(image.path),
        "threshold": detector.calibration.threshold,
    }
    try:
        started_at = time.perf_counter() - image.duration_s
        detection = detector.inspect(image.pixels, started_at)
    except ImageError as error:
        return row | {
            "anomaly_score": None,
            "p_value": None,
            "decision": "unreadable",
            "regions": [],
            "milliseconds": None,
            "error": printable(error),
            "detection": None,
        }
    return row | {
        "anomaly_score": detection.anomaly_score,
        "p_value": detection.p_value,
        "decision": "defective" if detection.is_defective else "good",
        "regions": [asdict(region) for region in detection.regions],
        "milliseconds": round(1000 * detection.duration_s, 3),
        "error": None,
        "detection": detection,
    }


@contextmanager
def _result_files(output: Path) -> Iterator[tuple[TextIO, TextIO]]:
    """Both tables, open for writing; never written over results of before."""
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


def _write_overlay(
    target: Path, detector: Detector, image: _DecodedImage, detection: Detection
) -> None:
    picture = overlay(image.pixels, detection.anomaly_map, detector.heat_scale)
    write_bytes(target, png_bytes(picture))


def _write_map(target: Path, detection: Detection) -> None:
    def save(temporary: Path) -> None:
        with temporary.open("wb") as file:
            np.save(file, detection.anomaly_map, allow_pickle=False)

    write_atomically(target, save)
