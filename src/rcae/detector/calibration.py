"""The threshold, from the scores of good images that were never trained on."""

import math
from collections.abc import Sequence

import numpy as np
from pydantic import BaseModel, ConfigDict, Field
from scipy.special import bdtr

from rcae.base.errors import UsageError

RUNTIME_MARGIN = 1e-3
"""Margin of the threshold above the good image's score that sets it.

The unit is the distance from the typical value to that score. Scores may differ by as much between
runtimes and processors. The margin keeps the image that sets the threshold good in all of them.
"""

FAR = 3.0
"""Distance above the upper quartile, in interquartile ranges, from which a score is far out (Tukey, 1977)."""

WIDEST = 5.0
"""Largest distance of an applied threshold from the typical value, as multiple of the calibrated one's."""


class Calibration(BaseModel):
    """Threshold of the finished model, and the good images' scores behind it; part of the model file."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    scores: tuple[float, ...] = Field(min_length=1)
    """Anomaly scores of the calibration images, in ascending order."""
    cross_fitted_scores: tuple[float, ...] = ()
    """Scores of training images, ascending, each judged by evidence that has not learnt it.

    The networks have seen these images. The scores are therefore raised by as much as the median of the
    held-out images lies above theirs. A score far above all others counts as little as the rest allow.
    """
    typical_value: float
    """Median over all calibration images of the map's median. It is the low end of the heat scale."""
    false_alarm_rate: float = Field(gt=0, lt=1)
    """The rate that `threshold` promises."""
    threshold: float
    """Threshold of scores and pixels; scores at or above it are defective.

    A score is the largest pixel of its map. The promise thus holds for pixels, too: it bounds the share
    of good images that have any pixel at or above the threshold.
    """
    confidence: float | None = Field(default=None, gt=0, lt=1)
    """Confidence that the rate is kept; None means that it is kept on average."""
    session_scores: tuple[float, ...] | None = None
    """Scores of the images held out of the training session, ascending; None if `scores` are those."""

    @property
    def all_scores(self) -> tuple[float, ...]:
        """Every score that the threshold and the p-values come from, ascending."""
        return tuple(sorted((*self.scores, *self.cross_fitted_scores)))

    @property
    def is_of_training_session(self) -> bool:
        """True if the calibration images were held out of the images to train on."""
        return self.session_scores is None

    @property
    def scores_of_training_session(self) -> tuple[float, ...]:
        """Scores of the images held out of the images to train on, ascending."""
        return self.scores if self.session_scores is None else self.session_scores

    @property
    def assurance(self) -> str:
        """Assurance that the rate is kept: "on average", or "with 95.0% confidence"."""
        return "on average" if self.confidence is None else f"with {self.confidence:.1%} confidence"

    @property
    def promise(self) -> str:
        """The guarantee in one sentence."""
        comma = "" if self.confidence is None else ","
        helped = (
            f" {len(self.cross_fitted_scores)} training images help to estimate it, each judged by evidence "
            "that has not learnt it."
            if self.cross_fitted_scores
            else ""
        )
        return (
            f"{self.assurance.capitalize()}{comma} at most {self.false_alarm_rate:.1%} of good images taken "
            f"under the same conditions as the {len(self.scores)} calibration images score at or above the "
            f"threshold.{helped}"
        )

    @property
    def threshold_range(self) -> tuple[float, float]:
        """Thresholds that a person may apply: above the typical value, and not far from `threshold`."""
        reach = WIDEST * (self.threshold - self.typical_value)
        return self.typical_value, self.typical_value + reach

    def require_threshold(self, threshold: float) -> None:
        """Refuse a threshold outside `threshold_range`, such as one with a misplaced decimal point.

        Raises:
            UsageError: the threshold lies outside.
        """
        low, high = self.threshold_range
        if not low < threshold <= high:
            raise UsageError(
                f"A threshold of {threshold:g} does not fit the calibration, which allows values above "
                f"{low:g} and up to {high:g}; correct it, or calibrate again."
            )

    def summary(self) -> dict[str, float | str | None]:
        """Return the fields that a person reads in the record of a run."""
        return {
            "threshold": self.threshold,
            "false_alarm_rate": self.false_alarm_rate,
            "confidence": self.confidence,
            "promise": self.promise,
        }

    def p_value(self, anomaly_score: float) -> float:
        """Return the conformal p-value of a score, 1 / (n + 1) to 1 (Vovk et al., 2005).

        It is the share of images with this score or a higher one. The image itself counts as one of
        n + 1, beside the n calibration images. The share of good images with a p-value of at most p is
        at most p, on average over calibration sets.
        """
        scores = self.all_scores
        count = len(scores)
        below = int(np.searchsorted(scores, anomaly_score, side="left"))
        return (1 + count - below) / (count + 1)


def calibrate(
    scores: Sequence[float],
    typical_value: float,
    false_alarm_rate: float,
    cross_fitted_scores: Sequence[float] = (),
) -> Calibration:
    """Make the calibration at the end of training, from images held out of the training session.

    Too few images cannot support the rate. The lowest rate that n images support, 1 / (n + 1), is then
    used and recorded.

    Args:
        scores: float32 values, in any order.
        typical_value: see `Calibration`.
        false_alarm_rate: Rate asked for, between 0 and 1.
        cross_fitted_scores: Scores of training images, each judged by evidence that has not learnt it.
    """
    of_training = _as_if_unseen(cross_fitted_scores, scores)
    everything = [*scores, *of_training]
    supported = max(false_alarm_rate, 1 / (len(everything) + 1))
    return Calibration(
        scores=tuple(sorted(map(float, scores))),
        cross_fitted_scores=tuple(sorted(of_training)),
        typical_value=typical_value,
        false_alarm_rate=supported,
        threshold=conformal_threshold(everything, supported, typical_value=typical_value),
    )


def _as_if_unseen(cross_fitted: Sequence[float], held_out: Sequence[float]) -> list[float]:
    """Raise scores of images that the networks have seen to the median of those they have not seen.

    They are never lowered together: a few calm held-out images shall not lower the threshold. A score far
    above all others is capped: its image is judged without anything like it, and the finished evidence has
    learnt it.
    """
    if not cross_fitted:
        return []
    raised = max(0.0, float(np.median(held_out) - np.median(cross_fitted)))
    return capped([score + raised for score in cross_fitted], held_out)


def capped(cross_fitted: Sequence[float], held_out: Sequence[float]) -> list[float]:
    """Cap scores of training images at the highest held-out score, or at `upper_fence` if it is higher.

    Args:
        cross_fitted: scores of training images, each judged by evidence that has not learnt it.
        held_out: scores of other images, at least one.

    Returns:
        Float32 values (our choice of the cap).
    """
    most = max(*held_out, upper_fence([*held_out, *cross_fitted]))
    return [float(np.float32(min(score, most))) for score in cross_fitted]


def upper_fence(scores: Sequence[float]) -> float:
    """Return the score above which one lies far from all others."""
    lower, upper = np.quantile(scores, (0.25, 0.75))
    return float(upper + FAR * (upper - lower))


def conformal_threshold(
    scores: Sequence[float],
    false_alarm_rate: float,
    confidence: float | None = None,
    *,
    typical_value: float,
) -> float:
    """Return a threshold that keeps the rate: the k-th smallest of n scores, plus `RUNTIME_MARGIN`.

    The threshold lies just above this order statistic.

    The bound on average is split conformal prediction (Papadopoulos et al., 2002; Vovk et al., 2005).
    Its rank is k = ceil((n + 1) * (1 - rate)). A new good image is exchangeable with the calibration
    images. It reaches the threshold with a probability of at most 1 - k / (n + 1).

    The bound with a confidence is a tolerance limit (Wilks, 1941; Vovk, 2012). Let q be the true
    (1 - rate) quantile of good scores. The rank is the smallest k with P(at most k - 1 of n scores fall
    below q) >= confidence. The rate is thus exceeded for a share of at most 1 - confidence of all
    calibration sets.

    Args:
        scores: float32 values, in any order.
        false_alarm_rate: Rate to keep, between 0 and 1.
        confidence: Confidence between 0 and 1, or None for the bound on average.
        typical_value: see `Calibration`.

    Returns:
        A float32 value.

    Raises:
        UsageError: there are too few scores.
    """
    rank = threshold_rank(len(scores), false_alarm_rate, confidence)
    highest_good = float(np.sort(np.asarray(scores, dtype=np.float32))[rank - 1])
    margin = RUNTIME_MARGIN * max(0.0, highest_good - typical_value)
    return float(np.nextafter(np.float32(highest_good + margin), np.float32(np.inf)))


def threshold_rank(count: int, false_alarm_rate: float, confidence: float | None = None) -> int:
    """Return the rank k of `conformal_threshold` among `count` scores in ascending order, from 1.

    Raises:
        UsageError: there are too few scores.
    """
    require_enough(count, false_alarm_rate, confidence)
    if confidence is None:
        # The rounding keeps (n + 1) * (1 - 1 / (n + 1)) at n despite floating point.
        return max(1, math.ceil(round((count + 1) * (1 - false_alarm_rate), 9)))
    probabilities = bdtr(np.arange(count), count, 1 - false_alarm_rate)
    return 1 + min(int(np.searchsorted(probabilities, confidence - 1e-12)), count - 1)


def require_enough(count: int, false_alarm_rate: float, confidence: float | None = None) -> None:
    """Refuse a rate that so many calibration images cannot support.

    Raises:
        UsageError: there are too few images, and the error names how many are needed; or rate or
            confidence is not between 0 and 1.
    """
    for name, share in (("false-alarm rate", false_alarm_rate), ("confidence", confidence)):
        if share is not None and not 0 < share < 1:
            raise UsageError(f"a {name} of {share:g} is not a share between 0 and 1, like 0.05.")
    needed = images_needed(false_alarm_rate, confidence)
    if count < needed:
        sure = "" if confidence is None else f" with {confidence:.1%} confidence"
        raise UsageError(
            f"{count} calibration images cannot support a false-alarm rate of {false_alarm_rate:.2%}"
            f"{sure}; at least {needed} are needed."
        )


def images_needed(false_alarm_rate: float, confidence: float | None = None) -> int:
    """Return the smallest number n of calibration images that supports a rate.

    The bound on average needs 1 / (n + 1) <= rate. The bound with a confidence needs
    (1 - rate)^n <= 1 - confidence: the highest of n scores is then high enough.
    """
    if confidence is None:
        return math.ceil(round(1 / false_alarm_rate - 1, 9))
    return math.ceil(round(math.log1p(-confidence) / math.log1p(-false_alarm_rate), 9))
