"""What a given threshold does: defects caught, and good ones rejected by mistake."""

from typing import NamedTuple

import numpy as np

from rcae.base.arrays import Mask
from rcae.base.errors import DataError
from rcae.evaluation.metrics.ranking import Floats, require_rankable


class DetectionRates(NamedTuple):
    """Shares in 0..1; None where there is nothing to take a share of."""

    true_positive_rate: float | None
    """Defective ones that are rejected, of all defective ones."""
    false_alarm_rate: float | None
    """Good ones that are rejected, of all good ones."""


def detection_rates(scores: Floats, is_positive: Mask, threshold: float) -> DetectionRates:
    """Rates when a score at or above `threshold` is rejected, which is the detector's own rule.

    Args:
        scores: float32 or float64, any shape, finite.
        is_positive: boolean, same shape; True = defective.
        threshold: infinity, which rejects nothing, is allowed. Never rounded to the scores' dtype.

    Raises:
        DataError: a dtype, shape or value breaks these rules.
    """
    require_rankable("scores", scores, is_positive)
    if np.isnan(threshold):
        raise DataError("The threshold is NaN; it must be a number. Calibrate the detector again.")
    is_rejected = scores.astype(np.float64) >= threshold
    return DetectionRates(_share(is_rejected[is_positive]), _share(is_rejected[~is_positive]))


def _share(flags: Mask) -> float | None:
    return float(flags.mean()) if flags.size else None
