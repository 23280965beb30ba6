"""The threshold, from the scores of good images that were never trained on."""

import math
from collections.abc import Sequence

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from rcae.errors import UsageError


class Calibration(BaseModel):
    """What good images looked like to the finished model; stored in the model file."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    scores: tuple[float, ...] = Field(min_length=1)
    """Anomaly scores of the calibration images, rising."""
    typical_value: float
    """Median over all calibration images of the map's median: the low end of the heat scale."""
    false_alarm_rate: float = Field(gt=0, lt=1)
    """The rate that `threshold` promises."""
    threshold: float
    """Scores at or above it are defective."""

    @property
    def promise(self) -> str:
        """The guarantee in one sentence."""
        return (
            f"On average at most {self.false_alarm_rate:.1%} of good images taken under the same "
            f"conditions as the {len(self.scores)} calibration images score at or above the threshold."
        )


def calibrate(
    scores: Sequence[float], typical_value: float, false_alarm_rate: float
) -> Calibration:
    """The split conformal threshold for a false-alarm rate.

    With n calibration scores, the threshold lies just above the k-th smallest, k = ceil((n + 1) *
    (1 - rate)); a new good image, exchangeable with them, then reaches it with a probability of at
    most 1 - k / (n + 1) (Vovk et al., 2005; Papadopoulos et al., 2002). Where n images cannot
    support the rate, the lowest they can, 1 / (n + 1), is used and recorded.

    Args:
        scores: float32 values, in any order.
        typical_value: see `Calibration`.
        false_alarm_rate: asked for, between 0 and 1.
    """
    supported = max(false_alarm_rate, 1 / (len(scores) + 1))
    threshold = conformal_threshold(scores, supported)
    return Calibration(
        scores=tuple(sorted(map(float, scores))),
        typical_value=typical_value,
        false_alarm_rate=supported,
        threshold=threshold,
    )


def conformal_threshold(scores: Sequence[float], false_alarm_rate: float) -> float:
    """The smallest float32 threshold that keeps the rate; see `calibrate`.

    Raises:
        UsageError: there are too few scores for the rate.
    """
    rank = threshold_rank(len(scores), false_alarm_rate)
    highest_good = np.sort(np.asarray(scores, dtype=np.float32))[rank - 1]
    return float(np.nextafter(highest_good, np.float32(np.inf)))


def threshold_rank(count: int, false_alarm_rate: float) -> int:
    """Which of `count` calibration scores, counted from the lowest, the threshold lies just above.

    Raises:
        UsageError: there are too few scores for the rate.
    """
    # The rounding keeps (n + 1) * (1 - 1 / (n + 1)) at n despite floating point.
    rank = math.ceil(round((count + 1) * (1 - false_alarm_rate), 9))
    if rank > count:
        raise UsageError(
            f"{count} calibration images cannot support a false-alarm rate of {false_alarm_rate:.2%}; "
            f"at least {images_needed(false_alarm_rate)} are needed."
        )
    return max(rank, 1)


def images_needed(false_alarm_rate: float) -> int:
    """The fewest calibration images that support a rate: the smallest n with 1 / (n + 1) <= rate."""
    return math.ceil(round(1 / false_alarm_rate - 1, 9))
