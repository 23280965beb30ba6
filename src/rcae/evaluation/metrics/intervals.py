"""Confidence intervals of 95 % for a measured share and for AUROC."""

from dataclasses import dataclass
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray
from scipy import special, stats

from rcae.base.arrays import Mask
from rcae.evaluation.metrics.ranking import Floats, require_rankable

CONFIDENCE = 0.95  # our choice: what most readers take an interval for


class Interval(NamedTuple):
    """A closed interval: both ends belong to it."""

    low: float
    high: float


def proportion_interval(count: int, total: int) -> Interval | None:
    """Return the interval, within 0..1, of a share from `count` of `total` images; None without images.

    It is exact: it covers the truth at least as often as stated (Clopper & Pearson, 1934).

    Raises:
        ValueError: `count` is negative or above `total`.
    """
    if count == total == 0:
        return None
    found = stats.binomtest(count, total).proportion_ci(CONFIDENCE, method="exact")
    return Interval(float(found.low), float(found.high))


def auroc_interval(scores: Floats, is_positive: Mask) -> Interval | None:
    """Return the interval of the AUROC, cut to 0..1; None where the scores do not determine it.

    The method is that of DeLong, DeLong & Clarke-Pearson, 1988. There is no interval where a class has
    fewer than two images. There is none either where all images have equal placements, like in a perfect
    separation: the variance is then 0, which is no certainty.

    The interval is normal, not on the logit scale (our choice: the same method then serves a difference).
    It is too narrow for few images and near 0 or 1.

    Args:
        scores: float32 or float64 [images], finite; higher is more anomalous.
        is_positive: boolean [images]; True = defective.

    Raises:
        DataError: a dtype, shape or value breaks these rules.
    """
    placements = Placements.of(scores, is_positive)
    return placements.interval(lowest=0) if placements.has_both_classes else None


@dataclass(frozen=True)
class Placements:
    """DeLong's structural components, as counts of images; those of two models can be subtracted.

    Midranks give the counts (Sun & Xu, 2014). They are multiples of 0.5, so that sums and zero variances
    are exact.
    """

    positives: NDArray[np.float64]
    """Number of negatives below each positive, [positives]; a tie counts half."""
    negatives: NDArray[np.float64]
    """Number of positives above each negative, [negatives]; a tie counts half."""

    @classmethod
    def of(cls, scores: Floats, is_positive: Mask) -> Self:
        """Place each image among those of the other class; see `auroc_interval` for the arguments."""
        require_rankable("scores", scores, is_positive)
        ranks = stats.rankdata(scores)
        positives, negatives = scores[is_positive], scores[~is_positive]
        return cls(
            positives=ranks[is_positive] - stats.rankdata(positives),
            negatives=len(positives) - (ranks[~is_positive] - stats.rankdata(negatives)),
        )

    def __sub__(self, other: Self) -> Self:
        return type(self)(self.positives - other.positives, self.negatives - other.negatives)

    @property
    def has_both_classes(self) -> bool:
        """True if both classes have images; there is no AUROC otherwise."""
        return self.positives.size > 0 and self.negatives.size > 0

    @property
    def auroc(self) -> float:
        """The AUROC, or the difference of two."""
        return float(self.positives.sum() / (self.positives.size * self.negatives.size))

    @property
    def variance(self) -> float | None:
        """Variance of `auroc`; None if a class has fewer than two images, or all placements are equal."""
        counts = self.positives.size, self.negatives.size
        if min(counts) < 2:
            return None
        spread = self.positives.var(ddof=1) / counts[1] + self.negatives.var(ddof=1) / counts[0]
        return float(spread / (counts[0] * counts[1])) or None

    def interval(self, lowest: float) -> Interval | None:
        """Return the normal interval of `auroc`, cut to `lowest`..1; None without a variance."""
        if self.variance is None:
            return None
        reach = float(special.ndtri((1 + CONFIDENCE) / 2) * np.sqrt(self.variance))
        return Interval(max(lowest, self.auroc - reach), min(1.0, self.auroc + reach))
