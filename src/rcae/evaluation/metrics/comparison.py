"""Tests of two models on the same images, by DeLong and McNemar: is a difference more than chance?"""

from dataclasses import dataclass

import numpy as np
from scipy import special, stats

from rcae.base.arrays import Mask
from rcae.base.errors import DataError
from rcae.evaluation.metrics.intervals import Interval, Placements
from rcae.evaluation.metrics.ranking import Floats


@dataclass(frozen=True)
class AurocComparison:
    """The AUROC of models A and B on the same images, and their difference.

    An interval is None where the scores do not determine it; see `auroc_interval`.
    """

    a: float
    b: float
    interval_a: Interval | None
    interval_b: Interval | None
    difference: float
    """AUROC of B minus AUROC of A."""
    interval: Interval | None
    """Interval of the difference, cut to -1..1."""
    p_value: float | None
    """Two-sided probability of a difference at least as large, if the models were equally good."""


def compare_auroc(scores_a: Floats, scores_b: Floats, is_positive: Mask) -> AurocComparison:
    """Compare two AUROC by the paired test of DeLong, DeLong & Clarke-Pearson, 1988.

    The test is rather cautious with few images. The p-value is 1 without a difference. It is None if
    there is a difference whose variance is unknown.

    Args:
        scores_a: float32 or float64 [images], finite. Only their order counts, so that each model may
            have its own unit.
        scores_b: Scores of B for the same images.
        is_positive: boolean [images]; True = defective.

    Raises:
        DataError: a dtype, shape or value breaks these rules, or a class is missing.
    """
    a, b = Placements.of(scores_a, is_positive), Placements.of(scores_b, is_positive)
    if not a.has_both_classes:
        raise DataError(
            f"got {a.positives.size} defective and {a.negatives.size} good images; an AUROC needs "
            "both. Add images of the class that is missing."
        )
    difference = b - a
    return AurocComparison(
        a=a.auroc,
        b=b.auroc,
        interval_a=a.interval(lowest=0),
        interval_b=b.interval(lowest=0),
        difference=difference.auroc,
        interval=difference.interval(lowest=-1),
        p_value=_p_value(difference),
    )


def _p_value(difference: Placements) -> float | None:
    if difference.auroc == 0:
        return 1.0
    if difference.variance is None:
        return None
    return float(2 * special.ndtr(-abs(difference.auroc) / np.sqrt(difference.variance)))


@dataclass(frozen=True)
class DecisionComparison:
    """Number of the same images that models A and B reject."""

    total: int
    a: int
    b: int
    only_a: int
    only_b: int
    p_value: float
    """Probability of counts at least as unequal, if `only_a` and `only_b` were equally likely."""


def compare_decisions(rejected_a: Mask, rejected_b: Mask) -> DecisionComparison:
    """Compare decisions by McNemar's exact test (1947).

    Equal models share the images decided differently: each rejects half of them on average.

    Args:
        rejected_a: boolean [images], of one class; True = called defective by A.
        rejected_b: Decisions of B on the same images.
    """
    only_a = int(np.sum(rejected_a & ~rejected_b))
    only_b = int(np.sum(rejected_b & ~rejected_a))
    changed = only_a + only_b
    return DecisionComparison(
        total=rejected_a.size,
        a=int(rejected_a.sum()),
        b=int(rejected_b.sum()),
        only_a=only_a,
        only_b=only_b,
        p_value=float(stats.binomtest(only_a, changed).pvalue) if changed else 1.0,
    )
