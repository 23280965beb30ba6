"""Calibration images far from all others: one of them can cost most of the defects."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from rcae.detector.calibration import Calibration, conformal_threshold, images_needed
from rcae.detector.calibration_images import CalibrationImage

FAR = 3.0
"""Distance above the upper quartile, in interquartile ranges, from which a score is far out (Tukey, 1977)."""
LEAST_IMAGES = 5
"""Scores needed to say what is far from them."""


@dataclass(frozen=True)
class Outlier:
    """A calibration image that scores far above all others."""

    image: CalibrationImage
    threshold: float
    """Threshold of the calibration."""
    threshold_without: float
    """Threshold that the other images would give; lower, or equal where this image sets nothing."""
    usual_score: float
    """Median score of all images."""

    @property
    def advice(self) -> str:
        """Cost of the image and advice about it, in two sentences."""
        cost = (
            f"without it the threshold would be {self.threshold_without:.4g} instead of {self.threshold:.4g}"
            if self.threshold_without < self.threshold
            else "the threshold does not depend on it"
        )
        return (
            f"the calibration image {Path(self.image.path).name} scores {self.image.anomaly_score:.4g}, far "
            f"above the usual {self.usual_score:.4g}: {cost}. Look at it, and leave it out of the good "
            f"images if it is none ({self.image.path})."
        )


def outliers_among(
    images: Sequence[CalibrationImage], calibration: Calibration
) -> tuple[Outlier, ...]:
    """Return the calibration images far from all others, the highest score first.

    Args:
        images: the images of `calibration.scores`.
        calibration: the calibration that they gave.
    """
    scores = calibration.all_scores
    if len(scores) < LEAST_IMAGES:
        return ()
    lower, usual, upper = np.quantile(scores, (0.25, 0.5, 0.75))
    far = [one for one in images if one.anomaly_score > upper + FAR * (upper - lower)]
    return tuple(
        Outlier(
            image,
            calibration.threshold,
            _threshold_without(image.anomaly_score, calibration),
            float(usual),
        )
        for image in sorted(far, key=lambda one: -one.anomaly_score)
    )


def _threshold_without(score: float, calibration: Calibration) -> float:
    """Return the threshold of all scores but one; for the lowest rate that these support, if need be."""
    others = list(calibration.all_scores)
    others.remove(score)
    rate, confidence = calibration.false_alarm_rate, calibration.confidence
    if len(others) < images_needed(rate, confidence):
        rate, confidence = max(rate, 1 / (len(others) + 1)), None
    return conformal_threshold(others, rate, confidence, typical_value=calibration.typical_value)
