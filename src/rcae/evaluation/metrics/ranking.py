"""Metrics of a ranking of positives above negatives: AUROC, AP and F1-max, exact, ties included.

A positive is a defective image or a defective pixel. Nothing is clamped, rescaled or binned.
"""

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from rcae.base.arrays import Mask
from rcae.base.errors import DataError

Floats = NDArray[np.floating[Any]]


@dataclass(frozen=True)
class ThresholdTable:
    """Counts of positives and negatives at each score of a positive; all arrays are [thresholds].

    A score that only negatives have needs no row, because only negatives lie between two rows. Every
    metric here follows from these counts, and memory grows with the positives alone.
    """

    thresholds: Floats
    """Distinct scores of the positives, descending, in the dtype they came in."""
    true_positives: NDArray[np.int64]
    """Positives whose score is at least the threshold."""
    false_positives: NDArray[np.int64]
    """Negatives whose score is at least the threshold."""
    false_positives_above: NDArray[np.int64]
    """Negatives whose score is strictly above the threshold."""
    positive_count: int
    negative_count: int

    @property
    def has_both_classes(self) -> bool:
        """True if there are positives and negatives; every metric is None (null in JSON) otherwise."""
        return self.positive_count > 0 and self.negative_count > 0


class ThresholdCounter:
    """Counter for a `ThresholdTable`: it takes all positives at once, and the negatives in batches."""

    def __init__(self, positive_scores: Floats) -> None:
        """Take the scores of all positives, shape [positives], finite."""
        self.ascending, self._positives = np.unique(positive_scores, return_counts=True)
        self._lowest = self.ascending.min(initial=np.inf)
        # A negative is counted once, at the highest threshold that it reaches.
        self._reaching = np.zeros(self.ascending.size, np.int64)
        self._tied = np.zeros(self.ascending.size, np.int64)
        self._negative_count = 0

    def add_negatives(self, scores: Floats) -> None:
        """Count a batch of negatives, shape [negatives], finite, of the positives' dtype."""
        self._negative_count += scores.size
        # Sorted scores keep the search in the cache: it is three times faster, sorting included.
        candidates = np.sort(scores[scores >= self._lowest])
        highest_reached = np.searchsorted(self.ascending, candidates, side="right") - 1
        np.add.at(self._reaching, highest_reached, 1)
        is_tied = self.ascending[highest_reached] == candidates
        np.add.at(self._tied, highest_reached[is_tied], 1)

    def table(self) -> ThresholdTable:
        """Return the counts of all scores added so far."""
        true_positives = np.cumsum(self._positives[::-1], dtype=np.int64)
        false_positives = np.cumsum(self._reaching[::-1])
        return ThresholdTable(
            thresholds=self.ascending[::-1],
            true_positives=true_positives,
            false_positives=false_positives,
            false_positives_above=false_positives - self._tied[::-1],
            positive_count=int(self._positives.sum()),
            negative_count=self._negative_count,
        )


def rank_scores(scores: Floats, is_positive: Mask) -> ThresholdTable:
    """Count positives and negatives at every threshold.

    Args:
        scores: float32 or float64, any shape, finite, unbounded; compared in their own dtype.
        is_positive: boolean, same shape.

    Raises:
        DataError: a dtype, shape or value breaks these rules.
    """
    require_rankable("scores", scores, is_positive)
    counter = ThresholdCounter(scores[is_positive])
    counter.add_negatives(scores[~is_positive])
    return counter.table()


def require_rankable(name: str, scores: Floats, is_positive: Mask) -> None:
    """Refuse scores that cannot be ranked; `name` is their name in the message.

    Raises:
        DataError: scores are not float32 or float64, labels not boolean, shapes differ, or a score
            is NaN or infinite.
    """
    if scores.dtype not in (np.float32, np.float64) or is_positive.dtype != np.bool_:
        raise DataError(
            f"{name}: got {scores.dtype} with labels of {is_positive.dtype}; scores must be "
            "float32 or float64 and labels boolean. Convert them before measuring."
        )
    if scores.shape != is_positive.shape:
        raise DataError(
            f"{name}: got shape {scores.shape} with labels of shape {is_positive.shape}; there "
            "must be one label for each score. Resize a map to its mask, not a mask to its map."
        )
    unusable_count = scores.size - np.count_nonzero(np.isfinite(scores))
    if unusable_count:
        raise DataError(
            f"{name}: {unusable_count} of {scores.size} values are NaN or infinite and cannot be "
            "ranked; every score must be finite. Check the model that gave them."
        )


def auroc(table: ThresholdTable) -> float | None:
    """Return the probability that a positive scores above a negative; None without both classes.

    A tie counts half. The value equals scikit-learn's `roc_auc_score`. The sum is in integers, so that
    the result is rounded only once.
    """
    if not table.has_both_classes:
        return None
    positives = np.diff(table.true_positives, prepend=0)
    passed_twice = table.false_positives + table.false_positives_above
    wins_twice = np.sum(positives * (2 * table.negative_count - passed_twice))
    return float(wins_twice / (2 * table.positive_count * table.negative_count))


def average_precision(table: ThresholdTable) -> float | None:
    """Return the mean precision over thresholds, weighted by gained recall; None without both classes.

    The value equals scikit-learn's `average_precision_score`: a step function without interpolation.
    """
    if not table.has_both_classes:
        return None
    positives = np.diff(table.true_positives, prepend=0)
    precision = table.true_positives / (table.true_positives + table.false_positives)
    return float(np.sum(positives * precision) / table.positive_count)


class F1Max(NamedTuple):
    """The best F1 over all thresholds: an oracle, since the defects chose the threshold."""

    value: float
    threshold: float
    """Highest threshold with the best F1; scores at or above it count as defective."""


def f1_max(table: ThresholdTable) -> F1Max | None:
    """Return the best harmonic mean of precision and recall, an oracle; None without both classes."""
    if not table.has_both_classes:
        return None
    flagged = table.true_positives + table.false_positives
    f1 = 2 * table.true_positives / (flagged + table.positive_count)
    best = int(np.argmax(f1))
    return F1Max(float(f1[best]), float(table.thresholds[best]))


class Curve(NamedTuple):
    """Corner points of an exact curve, [points] each, float64 in 0..1, never decreasing."""

    false_positive_rate: NDArray[np.float64]
    height: NDArray[np.float64]


def roc_curve(table: ThresholdTable) -> Curve | None:
    """Return the ROC curve from (0, 0) to (1, 1); None without both classes.

    It is the true-positive rate over the false-positive rate.
    """
    if not table.has_both_classes:
        return None
    return curve_of(table, table.true_positives / table.positive_count)


def curve_of(table: ThresholdTable, heights: NDArray[np.float64]) -> Curve:
    """Return the curve, over the false-positive rate, of a quantity that positives alone raise.

    It starts at (0, 0) and ends at false-positive rate 1. It is level where only negatives are added. It
    is a straight slope where positives and negatives are tied.

    Args:
        table: Counts with at least one negative.
        heights: [thresholds], quantity over all scores at or above each threshold.
    """
    passed = np.column_stack((table.false_positives_above, table.false_positives)).ravel()
    ends = np.concatenate(([0], passed, [table.negative_count])) / table.negative_count
    return Curve(ends, np.repeat(np.concatenate(([0.0], heights)), 2))


def image_metrics(scores: Floats, is_defective: Mask) -> dict[str, float | None]:
    """Measure how well one score per image, shape [images], separates defective from good images.

    Returns:
        `image_auroc`, `image_ap` and `image_f1_max` (oracle), each in 0..1, or None where only
        one of the two classes is there.

    Raises:
        DataError: the errors of `rank_scores`.
    """
    table = rank_scores(scores, is_defective)
    best = f1_max(table)
    return {
        "image_auroc": auroc(table),
        "image_ap": average_precision(table),
        "image_f1_max": best.value if best else None,
    }
