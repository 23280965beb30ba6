"""The images behind a calibration: what each scored, and the file that remembers it."""

import csv
from collections.abc import Callable, Mapping, Sequence
from dataclasses import astuple, dataclass, fields
from pathlib import Path

import numpy as np

from rcae.base.arrays import Array
from rcae.base.errors import CheckpointError, TrainingError
from rcae.base.progress import shown
from rcae.base.text import csv_text
from rcae.data.images import read_image, resize
from rcae.data.usual_image import UsualImage
from rcae.detector.detection import score_of


@dataclass(frozen=True)
class CalibrationImage:
    """One good image that was not trained on, with its score and the median of its map."""

    path: str
    """Absolute path at the time of the calibration."""
    sha256: str
    anomaly_score: float
    """Anomaly score; a float32 value."""
    map_median: float
    """Median of its anomaly map; a float32 value."""


def score_good_images(
    images: Mapping[str, Path],
    maps: Callable[[Sequence[Array]], list[Array]],
    usual: UsualImage | None,
) -> tuple[CalibrationImage, ...]:
    """Score good images by the rules of `predict`, on the maps that `maps` draws.

    Args:
        images: Paths by the SHA-256 of their content, at least one.
        maps: Function like `Runner.maps`.
        usual: see `rcae.data.images.read_image`.

    Raises:
        ImageError: an image cannot be read, or the model cannot work on it.
        TrainingError: the score or the median of an image is not a finite number.
    """
    scored = []
    for sha256, path in shown(images.items(), "calibrating on good images", total=len(images)):
        image = read_image(path, usual)
        anomaly_map = resize(maps([image])[0], *image.shape[:2])
        score, median = score_of(anomaly_map), float(np.median(anomaly_map))
        if not np.isfinite([score, median]).all():
            raise TrainingError(
                f"{path} scores {score}, which no threshold can be compared with; lower "
                "training.learning_rate or set training.gradient_clip, and train again."
            )
        scored.append(CalibrationImage(str(path.absolute()), sha256, score, median))
    return tuple(scored)


def scores_of(images: Sequence[CalibrationImage]) -> list[float]:
    """Return the anomaly scores of the images, in the same order."""
    return [image.anomaly_score for image in images]


def typical_value_of(images: Sequence[CalibrationImage]) -> float:
    """Return the typical value of the images; see `Calibration.typical_value`."""
    return float(np.median([image.map_median for image in images]))


_COLUMNS = [field.name for field in fields(CalibrationImage)]


def to_csv(images: Sequence[CalibrationImage]) -> str:
    """Return the images as the text of a run folder's `calibration.csv`."""
    return csv_text(_COLUMNS, map(astuple, images))


def read_calibration_images(path: Path) -> tuple[CalibrationImage, ...]:
    """Read a file with the text of `to_csv`.

    Raises:
        CheckpointError: the file is missing, or is no list of calibration images.
    """
    try:
        with path.open(encoding="utf-8", errors="surrogateescape", newline="") as file:
            names, *rows = csv.reader(file)
        if names != _COLUMNS:
            raise ValueError(f"its columns are {', '.join(names)}")
        return tuple(
            CalibrationImage(name, sha256, float(score), float(median))
            for name, sha256, score, median in rows
        )
    except (OSError, ValueError, csv.Error) as error:
        raise CheckpointError(
            f"{path} is not a readable list of calibration images ({error}); 'rcae calibrate' writes it "
            "anew."
        ) from error
