"""Comparison of two models, A and B, on the same test images: other decisions, and chance or not."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from rcae.base.errors import DataError, UsageError
from rcae.data.layouts.category import open_category
from rcae.data.layouts.sample import Category
from rcae.data.layouts.source import Data
from rcae.detector.detector import Detector
from rcae.detector.run.run_folder import source_for
from rcae.evaluation.comparison import Change, Comparison, Side
from rcae.evaluation.evaluate import evaluate_model
from rcae.evaluation.evaluation import Outcome
from rcae.evaluation.metrics.comparison import (
    DecisionComparison,
    compare_auroc,
    compare_decisions,
)


def compare_models(model_a: Path, model_b: Path, data: Data) -> Comparison:
    """Evaluate two models on the test images of one category, then compare them.

    Args:
        model_a: Run folder, its `model.safetensors`, or a file that `rcae export` wrote.
        model_b: Another one; difference and verdict are of B against A.
        data: Category with good and defective test images.

    Raises:
        UsageError: both are the same model, or an error of `Detector.load`.
        DataError: the test images are missing, all good or all defective.
        RcaeError: the errors of `Detector.load` and `evaluate_model`.
    """
    _require_both_classes(open_category(source_for(model_a, data)))
    a, b = Detector.load(model_a), Detector.load(model_b)
    if _identity(a) == _identity(b):
        raise UsageError(
            f"{model_a} and {model_b} are the same model, with the same weights and threshold; give "
            "two different ones. Whether an exported file says what its run says, 'rcae verify' tells."
        )
    return compare_sides(
        Side(model_a, a, evaluate_model(model_a, a, data)),
        Side(model_b, b, evaluate_model(model_b, b, data)),
    )


def compare_sides(a: Side, b: Side) -> Comparison:
    """Compare two evaluations of the same test images, good and defective.

    Raises:
        DataError: the evaluations are not of the same images.
    """
    seen_a, seen_b = a.evaluation, b.evaluation
    if [one.sample for one in seen_a.outcomes] != [one.sample for one in seen_b.outcomes]:
        raise DataError(
            f"{seen_a.category.root} changed between the two evaluations: A saw "
            f"{len(seen_a.outcomes)} test images, B {len(seen_b.outcomes)}, and not the same. Compare "
            "again while nothing writes to it."
        )
    is_defective = np.array([one.sample.is_defective for one in seen_a.outcomes])
    return Comparison(
        a=a,
        b=b,
        image_auroc=compare_auroc(
            np.array([one.anomaly_score for one in seen_a.outcomes]),
            np.array([one.anomaly_score for one in seen_b.outcomes]),
            is_defective,
        ),
        defects_found=_decisions(seen_a.defective, seen_b.defective),
        false_alarms=_decisions(seen_a.good, seen_b.good),
        changes=_changes(a, b),
    )


def _require_both_classes(category: Category) -> None:
    classes = {sample.is_defective for sample in category.test}
    if len(classes) == 1:
        only, missing = ("defective", "good") if classes.pop() else ("good", "defective")
        raise DataError(
            f"{category.root} has only {only} test images; to compare two models, add {missing} ones."
        )


def _identity(detector: Detector) -> tuple[str, float]:
    return detector.runner.weights_sha256, detector.calibration.threshold


def _decisions(a: Sequence[Outcome], b: Sequence[Outcome]) -> DecisionComparison:
    return compare_decisions(
        np.array([one.is_rejected for one in a]), np.array([one.is_rejected for one in b])
    )


def _changes(a: Side, b: Side) -> tuple[Change, ...]:
    scale_a, scale_b = a.detector.heat_scale, b.detector.heat_scale
    changes = [
        Change(
            one, other, scale_a.strength(one.anomaly_score), scale_b.strength(other.anomaly_score)
        )
        for one, other in zip(a.evaluation.outcomes, b.evaluation.outcomes, strict=True)
        if one.is_rejected != other.is_rejected
    ]
    return tuple(sorted(changes, key=lambda change: -change.size))
