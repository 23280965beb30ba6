"""Calibration images far from all others: one of them can cost most of the defects."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from rcae.detector.calibration import (
    Calibration,
    capped,
    conformal_threshold,
    images_needed,
    upper_fence,
)
from rcae.detector.calibration_images import CalibrationImage

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
    usual, fence = float(np.median(scores)), upper_fence(scores)
    far = [one for one in images if one.anomaly_score > fence]
    return tuple(
        Outlier(
            image,
            calibration.threshold,
            _threshold_without(image.anomaly_score, calibration),
            usual,
        )
        for image in sorted(far, key=lambda one: -one.anomaly_score)
    )


def odd_training_images(
    images: Sequence[CalibrationImage], calibration: Calibration
) -> tuple[str, ...]:
    """Return advice on each training image that scored too high for the calibration.

    Args:
        images: the images of `calibration.cross_fitted_scores`, each judged without anything like it.
        calibration: the calibration that they helped to make.
    """
    most = max(calibration.cross_fitted_scores, default=0.0)
    return tuple(
        f"the training image {Path(one.path).name} scores {one.anomaly_score:.4g} by what the others taught, "
        f"and counts as {most:.4g}. Look at it, and leave it out of the good images if it is none "
        f"({one.path})."
        for one in images
        if one.anomaly_score > most
    )


def _threshold_without(score: float, calibration: Calibration) -> float:
    """Return the threshold of all scores but one; for the lowest rate that these support, if need be."""
    held_out = list(calibration.scores)
    held_out.remove(score)
    others = [*held_out, *capped(calibration.cross_fitted_scores, held_out)]
    rate, confidence = calibration.false_alarm_rate, calibration.confidence
    if len(others) < images_needed(rate, confidence):
        rate, confidence = max(rate, 1 / (len(others) + 1)), None
    return conformal_threshold(others, rate, confidence, typical_value=calibration.typical_value)
