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
from rcae.training.good_features import Fold, GoodFeatures, MapRecord
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
    by_hash = parts.calibration_by_hash
    hashes = list(by_hash)
    features = GoodFeatures(system, parts.training, parts.held_out() if system.kinds else [], seed)
    evidence = features.learn()
    to_maps = partial(maps, system, parts.working_view)
    judged: list[CalibrationImage] = []
    cross_fitted: list[CalibrationImage] = []
    folds = features.in_folds() if system.kinds else [Fold([], list(range(len(hashes))))]
    for fold in folds:
        held_out_here = {hashes[place]: by_hash[hashes[place]] for place in fold.held_out}
        judged += score_good_images(held_out_here, to_maps)
        cross_fitted += score_good_images(parts.training_by_hash(fold.training), to_maps)
    features.forget()
    scored = {image.sha256: image for image in judged}
    held_out = tuple(scored[sha256] for sha256 in hashes)
    calibration = calibrate(
        scores_of(held_out), typical_value_of(held_out), false_alarm_rate, scores_of(cross_fitted)
    )
    return Fitted(calibration, held_out, tuple(cross_fitted), tuple(evidence))
