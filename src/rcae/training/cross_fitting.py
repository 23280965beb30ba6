"""The calibration of a system: from held-out images, and from training images judged as new ones."""

from dataclasses import dataclass
from functools import partial

from rcae.detector.calibration import Calibration, calibrate
from rcae.detector.calibration_images import (
    CalibrationImage,
    score_good_images,
    scores_of,
    typical_value_of,
)
from rcae.detector.runners.torch_maps import maps
from rcae.model.memory_system import MemorySystem
from rcae.model.system import RcaeSystem
from rcae.training.good_features import GoodFeatures, MapRecord
from rcae.training.training_data import GoodParts


@dataclass(frozen=True)
class Fitted:
    """Calibration of a system, and the images and maps behind it."""

    calibration: Calibration
    held_out: tuple[CalibrationImage, ...]
    """The images that were not trained on."""
    cross_fitted: tuple[CalibrationImage, ...]
    """Training images, each judged by evidence that has not learnt it."""
    evidence: tuple[MapRecord, ...]
    """The record of every map that is added up."""


def fit_evidence(
    system: RcaeSystem | MemorySystem, parts: GoodParts, seed: int, false_alarm_rate: float
) -> Fitted:
    """Fit the evidence of a system whose networks are trained, and calibrate it.

    Args:
        system: fitted in place.
        parts: the good images.
        seed: draws the images to learn.
        false_alarm_rate: rate asked for, between 0 and 1.

    Raises:
        ImageError: an image cannot be decoded.
        TrainingError: a score is not a finite number.
    """
    features = GoodFeatures(system, parts.training, seed)
    evidence = features.learn(parts.held_out() if system.kinds else [])
    to_maps, usual = partial(maps, system, parts.working_view), parts.working_view.usual
    cross_fitted = tuple(
        image
        for places in features.in_folds()
        for image in score_good_images(parts.training_by_hash(places), to_maps, usual)
    )
    features.forget()
    held_out = score_good_images(parts.calibration_by_hash, to_maps, usual)
    calibration = calibrate(
        scores_of(held_out), typical_value_of(held_out), false_alarm_rate, scores_of(cross_fitted)
    )
    return Fitted(calibration, held_out, cross_fitted, tuple(evidence))
