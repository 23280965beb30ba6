"""Evaluation: a finished detector scores each test image of a category once, and is measured."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from rcae.base.arrays import Array, Mask
from rcae.base.errors import DataError
from rcae.base.machine import peak_memory_mib
from rcae.base.progress import shown
from rcae.data.good_images import hash_file
from rcae.data.images import image_size, resize
from rcae.data.layouts.category import open_category
from rcae.data.layouts.sample import Category, Sample, fault_of_inversion, fault_of_size
from rcae.data.layouts.source import Data
from rcae.data.usual_image import UsualImage
from rcae.detector.calibration import Calibration, conformal_threshold, images_needed
from rcae.detector.detection import Detection
from rcae.detector.detector import Detector
from rcae.detector.outliers import outliers_among
from rcae.detector.run.known_images import calibration_images, known_images
from rcae.detector.run.run_folder import source_for
from rcae.evaluation.evaluation import Evaluation, Outcome
from rcae.evaluation.metrics.ranking import image_metrics
from rcae.evaluation.metrics.rates import detection_rates
from rcae.evaluation.metrics.regions import pixel_metrics
from rcae.evaluation.result import (
    MASKS_DIVIDE_NOTHING,
    NO_MASKS,
    ONE_CLASS,
    DefectTypeResult,
    EvaluationResult,
    Ranking,
)

FIXED_RATES = {"detection_rate_at_1_percent": 0.01, "detection_rate_at_5_percent": 0.05}
NEED_BOTH_CLASSES = (
    *("image_auroc", "image_ap", "image_f1_max"),
    *("false_alarm_rate_seen", "detection_rate"),
)
PIXEL_METRICS = ("pixel_auroc", "pixel_ap", "pixel_f1_max", "aupro", "aupro_5")


class Predictor(Protocol):
    """Interface of a model that can be evaluated: `Detector`, or another one under the same protocol."""

    @property
    def calibration(self) -> Calibration:
        """The threshold, and the scores of good images behind it."""

    @property
    def usual(self) -> UsualImage | None:
        """Common properties of the training images, if they are known."""

    def predict(self, image: Path) -> Detection:
        """Inspect one image."""


def evaluate_model(path: Path, detector: Detector, data: Data) -> Evaluation:
    """Evaluate the model loaded from `path`, like `evaluate_detector`.

    Its run tells the known images, and the folders that it was trained with.

    Raises:
        RcaeError: the errors of `evaluate_detector` and `known_images`.
    """
    known = known_images(path, detector.header)
    evaluation = evaluate_detector(detector, source_for(path, data), known)
    outliers = outliers_among(calibration_images(path, detector.header), detector.calibration)
    return replace(evaluation, outliers=outliers)


def evaluate_detector(detector: Predictor, data: Data, known: Collection[str] = ()) -> Evaluation:
    """Score every test image once, then measure; the threshold is the calibrated one.

    Args:
        detector: Model to evaluate.
        data: One category, see `open_category`.
        known: SHA-256 of the images that the model was trained or calibrated on, see `known_images`.

    Raises:
        UsageError, DataError: the folder does not exist, has no test images, or lacks masks for some of
            its defective images. A mask is empty or has another size than its image.
        ImageError: an image or mask is unreadable.
    """
    category = open_category(data)
    if not category.test:
        raise DataError(f"{data} has no test images; add good and defective ones to evaluate on.")
    has_masks = _check_masks(category)
    inspected = (_inspect(detector, sample) for sample in category.test)
    outcomes = tuple(shown(inspected, "inspecting test images", len(category.test)))
    known_here = tuple(one for one in category.test if known and hash_file(one.path) in known)
    result = _result(category.name, outcomes, detector.calibration, has_masks, len(known_here))
    return Evaluation(category, outcomes, result, detector.calibration, known_here)


def _check_masks(category: Category) -> bool:
    """Return True if all defective images have masks, and False if none has.

    Raises:
        DataError, ImageError: see `evaluate_detector`.
    """
    defective = [sample for sample in category.test if sample.is_defective]
    missing = [sample for sample in defective if not sample.mask_paths]
    if len(missing) == len(defective):
        return False
    if missing:
        raise DataError(
            f"{missing[0].path} has no mask, and neither have {len(missing) - 1} others, but "
            f"{len(defective) - len(missing)} images have one; add the missing masks or remove all. "
            f"'rcae doctor {category.root}' lists them."
        )
    marked = [_checked_share(sample) for sample in shown(defective, "checking masks")]
    fault = fault_of_inversion(marked)
    if fault is not None:
        raise DataError(f"{category.root} {fault}")
    return True


def _checked_share(sample: Sample) -> float:
    """Check the masks of a sample, and return the share of the image that they mark."""
    mask = _mask(sample)
    fault = fault_of_size(sample.path, image_size(sample.path), mask)
    if fault is not None:
        raise DataError(f"{sample.mask_paths[0]} {fault} 'rcae doctor' lists all such masks.")
    if not mask.any():
        raise DataError(
            f"{sample.mask_paths[0]} marks no pixel; draw the defect into it in white, or remove its image "
            "from the test. 'rcae doctor' lists all such masks."
        )
    return float(mask.mean())


def _inspect(detector: Predictor, sample: Sample) -> Outcome:
    detection = detector.predict(sample.path)
    return Outcome(
        sample=sample,
        anomaly_score=detection.anomaly_score,
        p_value=detection.p_value,
        is_rejected=detection.is_defective,
        working_map=detection.working_map,
        duration_s=detection.duration_s,
        remark=detection.remark,
    )


def full_map(outcome: Outcome) -> Array:
    """Return the anomaly map at the image's own size, equal to that of `Detector.predict`."""
    return resize(outcome.working_map, *image_size(outcome.sample.path))


def _mask(sample: Sample) -> Mask:
    if not sample.mask_paths:
        return np.zeros(image_size(sample.path), dtype=np.bool_)
    return sample.mask()


def _maps_and_masks(
    outcomes: Sequence[Outcome],
) -> Callable[[], Iterable[tuple[Array, Mask]]]:
    def each() -> Iterator[tuple[Array, Mask]]:
        for outcome in outcomes:
            yield full_map(outcome), _mask(outcome.sample)

    return each


def _scores(outcomes: Sequence[Outcome]) -> tuple[Array, Mask]:
    scores = np.array([outcome.anomaly_score for outcome in outcomes], dtype=np.float32)
    return scores, np.array([outcome.sample.is_defective for outcome in outcomes], dtype=np.bool_)


def _result(
    category: str,
    outcomes: Sequence[Outcome],
    calibration: Calibration,
    has_masks: bool,
    known_count: int,
) -> EvaluationResult:
    """Compute all figures from the scores of `outcomes`, and from their maps if there are masks."""
    good = [outcome for outcome in outcomes if not outcome.sample.is_defective]
    types = {
        name: [outcome for outcome in outcomes if outcome.sample.defect_type == name]
        for name in sorted({o.sample.defect_type for o in outcomes if o.sample.is_defective})
    }
    metrics = _ranking(outcomes, has_masks) | _at_threshold(calibration, outcomes)
    fixed, no_threshold = _at_fixed_rates(calibration, outcomes)
    return EvaluationResult(
        category=category,
        image_count=len(outcomes),
        good_count=len(good),
        defective_count=len(outcomes) - len(good),
        **metrics,
        **fixed,
        **_cost(outcomes),
        defect_types={
            name: _defect_type(good, members, has_masks)
            for name, members in shown(types.items(), "measuring defect types", total=len(types))
        },
        undefined=no_threshold | _why_undefined(metrics, has_masks),
        test_images_known=known_count,
    )


def _ranking(outcomes: Sequence[Outcome], has_masks: bool) -> dict[str, Any]:
    """Compute the fields of `Ranking`; those of pixels are None without masks."""
    metrics = dict.fromkeys(Ranking.model_fields) | image_metrics(*_scores(outcomes))
    return metrics | (pixel_metrics(_maps_and_masks(outcomes)) if has_masks else {})


def _defect_type(
    good: Sequence[Outcome], members: Sequence[Outcome], has_masks: bool
) -> DefectTypeResult:
    return DefectTypeResult(
        **_ranking([*good, *members], has_masks),
        image_count=len(members),
        detected_count=sum(outcome.is_rejected for outcome in members),
    )


def _at_threshold(calibration: Calibration, outcomes: Sequence[Outcome]) -> dict[str, Any]:
    rates = detection_rates(*_scores(outcomes), calibration.threshold)
    return {
        "threshold": calibration.threshold,
        "false_alarm_rate_promised": calibration.false_alarm_rate,
        "false_alarm_rate_seen": rates.false_alarm_rate,
        "detection_rate": rates.true_positive_rate,
    }


def _at_fixed_rates(
    calibration: Calibration, outcomes: Sequence[Outcome]
) -> tuple[dict[str, Any], dict[str, str]]:
    """Compute the detection rate at each fixed false-alarm rate, with the reasons for missing ones.

    The thresholds come from good images alone.
    """
    metrics: dict[str, Any] = {}
    undefined = {}
    for name, rate in FIXED_RATES.items():
        metrics[name], count = None, len(calibration.all_scores)
        if count < images_needed(rate):
            undefined[name] = (
                f"a threshold for {rate:.0%} needs {images_needed(rate)} calibration images; the "
                f"model has {count}"
            )
            continue
        threshold = conformal_threshold(
            calibration.all_scores, rate, typical_value=calibration.typical_value
        )
        metrics[name] = detection_rates(*_scores(outcomes), threshold).true_positive_rate
    return metrics, undefined


def _cost(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    milliseconds = [1000 * outcome.duration_s for outcome in outcomes]
    return {
        "milliseconds_median": float(np.median(milliseconds)),
        "milliseconds_p95": float(np.percentile(milliseconds, 95)),
        "peak_memory_mib": peak_memory_mib(),
    }


def _why_undefined(metrics: Mapping[str, Any], has_masks: bool) -> dict[str, str]:
    reasons = dict.fromkeys(NEED_BOTH_CLASSES, ONE_CLASS)
    reasons |= dict.fromkeys(PIXEL_METRICS, MASKS_DIVIDE_NOTHING if has_masks else NO_MASKS)
    return {name: reason for name, reason in reasons.items() if metrics[name] is None}
