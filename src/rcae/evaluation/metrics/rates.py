"""Rates at a given threshold: defects found, and good images rejected by mistake."""

from typing import NamedTuple

import numpy as np

from rcae.base.arrays import Mask
from rcae.base.errors import DataError
from rcae.evaluation.metrics.ranking import Floats, require_rankable


class DetectionRates(NamedTuple):
    """Shares in 0..1; a share is None where its class is empty."""

    true_positive_rate: float | None
    """Share of defective ones that are rejected."""
    false_alarm_rate: float | None
    """Share of good ones that are rejected."""


def detection_rates(scores: Floats, is_positive: Mask, threshold: float) -> DetectionRates:
    """Measure the rates of the detector's own rule: a score at or above `threshold` is rejected.

    Args:
        scores: float32 or float64, any shape, finite.
        is_positive: boolean, same shape; True = defective.
        threshold: Any number; infinity rejects nothing. It is never rounded to the scores' dtype.

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
