"""How far a measured share or AUROC may be from the truth: 95 % confidence intervals."""

from dataclasses import dataclass
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray
from scipy import special, stats

from rcae.base.arrays import Mask
from rcae.evaluation.metrics.ranking import Floats, require_rankable

CONFIDENCE = 0.95  # our choice: what most readers take an interval for


class Interval(NamedTuple):
    """Both ends, which belong to it."""

    low: float
    high: float


def proportion_interval(count: int, total: int) -> Interval | None:
    """Interval, within 0..1, of the share that `count` of `total` images estimate; None of nothing.

    Exact: it covers the truth at least as often as it says (Clopper & Pearson, 1934).

    Raises:
        ValueError: `count` is negative or above `total`.
    """
    if count == total == 0:
        return None
    found = stats.binomtest(count, total).proportion_ci(CONFIDENCE, method="exact")
    return Interval(float(found.low), float(found.high))


def auroc_interval(scores: Floats, is_positive: Mask) -> Interval | None:
    """Interval of the AUROC, cut to 0..1, or None where the scores do not tell how sure it is.

    DeLong, DeLong & Clarke-Pearson, 1988. There is none where a class has fewer than two images, or
    where all are placed alike, as in a perfect separation: the variance is then 0, which is no
    certainty. The normal interval is kept as it is, not made on the logit scale (our choice: the
    same method then serves a difference). It is too narrow for few images and near 0 or 1.

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

    Counted by midranks (Sun & Xu, 2014); multiples of 0.5, so sums and zero variances are exact.
    """

    positives: NDArray[np.float64]
    """[positives]: the negatives that each scores above, a tie counting half."""
    negatives: NDArray[np.float64]
    """[negatives]: the positives that score above each, a tie counting half."""

    @classmethod
    def of(cls, scores: Floats, is_positive: Mask) -> Self:
        """Place each image among those of the other class; arguments as in `auroc_interval`."""
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
        """Without both there is no AUROC."""
        return self.positives.size > 0 and self.negatives.size > 0

    @property
    def auroc(self) -> float:
        """The AUROC, or the difference of two."""
        return float(self.positives.sum() / (self.positives.size * self.negatives.size))

    @property
    def variance(self) -> float | None:
        """Of `auroc`; None where it cannot be told: a class of one image, or all placed alike."""
        counts = self.positives.size, self.negatives.size
        if min(counts) < 2:
            return None
        spread = self.positives.var(ddof=1) / counts[1] + self.negatives.var(ddof=1) / counts[0]
        return float(spread / (counts[0] * counts[1])) or None

    def interval(self, lowest: float) -> Interval | None:
        """Normal interval of `auroc`, cut to `lowest`..1; None without a variance."""
        if self.variance is None:
            return None
        reach = float(special.ndtri((1 + CONFIDENCE) / 2) * np.sqrt(self.variance))
        return Interval(max(lowest, self.auroc - reach), min(1.0, self.auroc + reach))
