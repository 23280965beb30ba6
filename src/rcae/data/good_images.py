"""Split of the good images into training and calibration, and the SHA-256 list that proves it."""

import csv
import hashlib
import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, cast, get_args

import numpy as np

from rcae.base.errors import CheckpointError, DataError, ImageError
from rcae.base.settings import CalibrationSettings
from rcae.base.text import csv_text

Role = Literal["train", "calibration", "unused"]
FEWEST_TRAINING_IMAGES = 8
_COLUMNS = ["role", "path", "sha256"]
_RESTORE = "restore the run folder from a copy."


@dataclass(frozen=True)
class GoodImage:
    """One good image of a run."""

    role: Role
    path: str
    """Path relative to the category's folder, with forward slashes."""
    sha256: str


def list_good_images(
    paths: Sequence[Path],
    root: Path,
    settings: CalibrationSettings,
    seed: int,
    data_share: float = 1.0,
) -> tuple[GoodImage, ...]:
    """Hash the images and draw the calibration images at random.

    Duplicate images are never drawn, because their copy would be trained on.

    Args:
        paths: the good training images of a category, in a fixed order.
        root: the category's folder.
        settings: sets how many images to hold out: the larger of the share and the minimum.
        seed: seed of the random draw.
        data_share: share of the remaining images that are trained on; 0..1, at least 8 images.

    Raises:
        DataError: there are too few images for both parts.
        ImageError: a file cannot be read.
    """
    hashes = [hash_file(path) for path in paths]
    copies = Counter(hashes)
    single = [index for index, digest in enumerate(hashes) if copies[digest] == 1]
    held_out = max(settings.minimum_images, math.ceil(len(paths) * settings.share))
    if len(single) < held_out or len(paths) - held_out < FEWEST_TRAINING_IMAGES:
        raise DataError(
            f"{root} has {len(paths)} good training images, {len(single)} of them without a copy; "
            f"{held_out} are held out for calibration and at least {FEWEST_TRAINING_IMAGES} must be "
            "left to train on. Add good images, or lower calibration.minimum_images."
        )
    drawn = set(
        np.random.default_rng([seed, 3]).choice(single, size=held_out, replace=False).tolist()
    )
    left = [index for index in range(len(paths)) if index not in drawn]
    used = max(FEWEST_TRAINING_IMAGES, round(data_share * len(left)))
    trained_on = set(np.random.default_rng([seed, 5]).permutation(left)[:used].tolist())

    def role(index: int) -> Role:
        if index in drawn:
            return "calibration"
        return "train" if index in trained_on else "unused"

    return tuple(
        GoodImage(role(index), _relative(path, root), digest)
        for index, (path, digest) in enumerate(zip(paths, hashes, strict=True))
    )


def hash_file(path: Path) -> str:
    """Return the SHA-256 of a file's content, in hexadecimal.

    Raises:
        ImageError: the file cannot be read.
    """
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise ImageError(
            f"{path} cannot be read ({error.strerror}); restore it or remove it."
        ) from error


def hash_list(images: Iterable[GoodImage]) -> str:
    """Return one SHA-256 for the whole list; equal lists mean equal data."""
    return hashlib.sha256(to_csv(images).encode("utf-8", "surrogateescape")).hexdigest()


def to_csv(images: Iterable[GoodImage]) -> str:
    """Return the list as the text of a run folder's `data.csv`."""
    return csv_text(_COLUMNS, ([image.role, image.path, image.sha256] for image in images))


def read_list(path: Path) -> tuple[GoodImage, ...]:
    """Read the list in a run folder's `data.csv`: the inverse of `to_csv`.

    Raises:
        CheckpointError: the file is missing, or not such a list.
    """
    try:
        with path.open(encoding="utf-8", errors="surrogateescape", newline="") as file:
            rows = list(csv.reader(file))
    except (OSError, csv.Error) as error:
        raise CheckpointError(f"{path} cannot be read ({error}); {_RESTORE}") from error
    if not rows or rows[0] != _COLUMNS or not all(map(_is_image, rows[1:])):
        raise CheckpointError(f"{path} is not the list of images that training wrote; {_RESTORE}")
    return tuple(GoodImage(cast(Role, role), name, digest) for role, name, digest in rows[1:])


def _is_image(row: list[str]) -> bool:
    return len(row) == len(_COLUMNS) and row[0] in get_args(Role)


def _relative(path: Path, root: Path) -> str:
    return path.relative_to(root).as_posix()
