"""The files of `rcae evaluate` in a run folder, read back, with their uncertainty."""

import csv
import io
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar

import numpy as np
from pydantic import ValidationError

from rcae.base.errors import CheckpointError
from rcae.data.layouts.sample import GOOD
from rcae.evaluation.metrics.intervals import Interval, auroc_interval, proportion_interval
from rcae.evaluation.result import EvaluationResult, Part


class ScoredImage(Part):
    """The needed columns of a row of `scores.csv`."""

    defect_type: str
    anomaly_score: float
    decision: Literal["good", "defective"]


@dataclass(frozen=True)
class Share:
    """A count among some images."""

    count: int
    total: int

    @property
    def interval(self) -> Interval | None:
        """The interval of the share; see `proportion_interval`."""
        return proportion_interval(self.count, self.total)


@dataclass(frozen=True)
class PastEvaluation:
    """The result, and the test images that their intervals come from."""

    metrics: EvaluationResult
    images: tuple[ScoredImage, ...]

    @property
    def false_alarms(self) -> Share:
        """The good images that reach the threshold."""
        return _rejected(image for image in self.images if image.defect_type == GOOD)

    def found(self, defect_type: str | None = None) -> Share:
        """Count the defective images, of one type or of all, that reach the threshold."""
        return _rejected(image for image in self._chosen(defect_type) if image.defect_type != GOOD)

    def auroc_interval(self, defect_type: str | None = None) -> Interval | None:
        """Return the interval of one defect type or of all against the good images; see `auroc_interval`."""
        images = list(self._chosen(defect_type))
        scores = np.array([image.anomaly_score for image in images], np.float64)
        is_defective = np.array([image.defect_type != GOOD for image in images], np.bool_)
        return auroc_interval(scores, is_defective)

    def _chosen(self, defect_type: str | None) -> Iterator[ScoredImage]:
        """Yield the good images, and the defective ones of one type or of all."""
        for image in self.images:
            if defect_type is None or image.defect_type in (GOOD, defect_type):
                yield image


def read_evaluation(folder: Path) -> PastEvaluation | None:
    """Read `metrics.json` and `scores.csv`; None where neither is there.

    Raises:
        CheckpointError: one of them is missing or damaged, or they are of different evaluations.
    """
    metrics_path, scores_path = folder / "metrics.json", folder / "scores.csv"
    if not metrics_path.exists() and not scores_path.exists():
        return None
    try:
        plain = json.loads(_text(metrics_path))
        rows = list(csv.DictReader(io.StringIO(_text(scores_path), newline="")))
    except (OSError, ValueError, csv.Error) as error:
        raise _damaged(folder, error) from error
    metrics = checked(EvaluationResult, plain, metrics_path)
    images = tuple(checked(ScoredImage, row, scores_path) for row in rows)
    types = {image.defect_type for image in images} - {GOOD}
    if len(images) != metrics.image_count or types != metrics.defect_types.keys():
        raise _damaged(folder, "metrics.json and scores.csv are of different evaluations")
    return PastEvaluation(metrics, images)


AnyPart = TypeVar("AnyPart", bound=Part)


def checked(part: type[AnyPart], plain: Any, path: Path) -> AnyPart:
    """Take what is needed out of plain values.

    Raises:
        CheckpointError: names `path`, where they come from, and what is wrong with them.
    """
    try:
        return part.model_validate(plain)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise _damaged(path, f"'{place}': {first['msg']}") from error


def _rejected(images: Iterator[ScoredImage]) -> Share:
    decisions = [image.decision for image in images]
    return Share(decisions.count("defective"), len(decisions))


def _text(path: Path) -> str:
    """Read a file as `storage.write_text` writes it."""
    return path.read_bytes().decode("utf-8", "surrogateescape")


def _damaged(path: Path, reason: object) -> CheckpointError:
    return CheckpointError(
        f"{path} cannot be used ({reason}); copy it again from where it was made, or make it anew."
    )
