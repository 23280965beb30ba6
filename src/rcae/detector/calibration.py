"""The threshold, from the scores of good images that were never trained on."""

import math
from collections.abc import Sequence

import numpy as np
from pydantic import BaseModel, ConfigDict, Field
from scipy.special import bdtr

from rcae.base.errors import UsageError

RUNTIME_MARGIN = 1e-3
"""How far above a good image's score the threshold lies, as a share of the way from usual to that score:
as much as runtimes and processors may differ, so that the images that set the threshold stay good
in all of them."""


class Calibration(BaseModel):
    """What good images looked like to the finished model; stored in the model file."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    scores: tuple[float, ...] = Field(min_length=1)
    """Anomaly scores of the calibration images, rising."""
    typical_value: float
    """Median over all calibration images of the map's median: the low end of the heat scale."""
    false_alarm_rate: float = Field(gt=0, lt=1)
    """The rate that `threshold` promises."""
    threshold: float
    """Scores at or above it are defective. A score is the largest pixel of its map, so this is the
    threshold of pixels as well: the promised share of good images has any pixel at or above it."""
    confidence: float | None = Field(default=None, gt=0, lt=1)
    """With which the rate is kept; None: it is kept on average."""
    session_scores: tuple[float, ...] | None = None
    """Scores of the images held out of the training session, rising; None where `scores` are those."""

    @property
    def is_of_training_session(self) -> bool:
        """Whether the calibration images were held out of the images to train on."""
        return self.session_scores is None

    @property
    def scores_of_training_session(self) -> tuple[float, ...]:
        """Of the images held out of the images to train on, rising."""
        return self.scores if self.session_scores is None else self.session_scores

    @property
    def assurance(self) -> str:
        """How the rate is kept: "on average", or "with 95.0% confidence"."""
        return "on average" if self.confidence is None else f"with {self.confidence:.1%} confidence"

    @property
    def promise(self) -> str:
        """The guarantee in one sentence."""
        comma = "" if self.confidence is None else ","
        return (
            f"{self.assurance.capitalize()}{comma} at most {self.false_alarm_rate:.1%} of good images taken "
            f"under the same conditions as the {len(self.scores)} calibration images score at or above the "
            "threshold."
        )

    def summary(self) -> dict[str, float | str | None]:
        """For a person to read, in the record of a run."""
        return {
            "threshold": self.threshold,
            "false_alarm_rate": self.false_alarm_rate,
            "confidence": self.confidence,
            "promise": self.promise,
        }

    def p_value(self, anomaly_score: float) -> float:
        """The share of good images with such a score or a higher one, at most: 1 / (n + 1) to 1.

        The conformal p-value (Vovk et al., 2005): the image itself counts as one of n + 1. On average
        over calibration sets, at most the share p of good images has a p-value of at most p.
        """
        count = len(self.scores)
        below = int(np.searchsorted(self.scores, anomaly_score, side="left"))
        return (1 + count - below) / (count + 1)


def calibrate(
    scores: Sequence[float], typical_value: float, false_alarm_rate: float
) -> Calibration:
    """The calibration that training ends with, on images held out of the training session.

    Where n images cannot support the rate, the lowest they can, 1 / (n + 1), is used and recorded.

    Args:
        scores: float32 values, in any order.
        typical_value: see `Calibration`.
        false_alarm_rate: asked for, between 0 and 1.
    """
    supported = max(false_alarm_rate, 1 / (len(scores) + 1))
    return Calibration(
        scores=tuple(sorted(map(float, scores))),
        typical_value=typical_value,
        false_alarm_rate=supported,
        threshold=conformal_threshold(scores, supported, typical_value=typical_value),
    )


def conformal_threshold(
    scores: Sequence[float],
    false_alarm_rate: float,
    confidence: float | None = None,
    *,
    typical_value: float,
) -> float:
    """A threshold that keeps the rate: above the k-th smallest score by `RUNTIME_MARGIN`.

    On average, with n scores: k = ceil((n + 1) * (1 - rate)). A new good image, exchangeable with the
    calibration images, reaches it with a probability of at most 1 - k / (n + 1) (split conformal
    prediction: Vovk et al., 2005; Papadopoulos et al., 2002).

    With a confidence: the smallest k for which at most k - 1 of n images fall below the rate's true
    quantile with at least that probability, so that of all calibration sets at most 1 - confidence
    give a threshold that more than the rate reaches (tolerance limit: Wilks, 1941; Vovk, 2012).

    Args:
        scores: float32 values, in any order.
        false_alarm_rate: between 0 and 1.
        confidence: between 0 and 1, or None for the bound on average.
        typical_value: see `Calibration`.

    Returns:
        a float32 value.

    Raises:
        UsageError: there are too few scores.
    """
    rank = threshold_rank(len(scores), false_alarm_rate, confidence)
    highest_good = float(np.sort(np.asarray(scores, dtype=np.float32))[rank - 1])
    margin = RUNTIME_MARGIN * max(0.0, highest_good - typical_value)
    return float(np.nextafter(np.float32(highest_good + margin), np.float32(np.inf)))


def threshold_rank(count: int, false_alarm_rate: float, confidence: float | None = None) -> int:
    """k of `conformal_threshold`: which of `count` scores, from 1, the threshold lies just above.

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
        UsageError: names how many are needed; or rate or confidence are not between 0 and 1.
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
    """The fewest calibration images that support a rate.

    On average the smallest n with 1 / (n + 1) <= rate; with a confidence the smallest n with
    (1 - rate)^n <= 1 - confidence, for then even the highest of n scores suffices.
    """
    if confidence is None:
        return math.ceil(round(1 / false_alarm_rate - 1, 9))
    return math.ceil(round(math.log1p(-confidence) / math.log1p(-false_alarm_rate), 9))
