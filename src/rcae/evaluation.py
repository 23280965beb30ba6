"""The test images of a category, scored once by a finished detector, and measured."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rcae.calibration import conformal_threshold, images_needed
from rcae.data.images import image_size, read_mask, resize
from rcae.data.layouts import Category, Record, open_category
from rcae.detector import Detector
from rcae.errors import DataError
from rcae.metrics.pixels import pixel_metrics
from rcae.metrics.ranking import image_metrics
from rcae.metrics.rates import detection_rates
from rcae.progress import shown

FIXED_RATES = {"detection_rate_at_1_percent": 0.01, "detection_rate_at_5_percent": 0.05}


@dataclass(frozen=True)
class Outcome:
    """One test image and what the detector said of it."""

    record: Record
    anomaly_score: float
    is_rejected: bool
    working_map: NDArray[np.float32]
    """Kept at working size, so that memory stays small; enlarged again where needed."""
    duration_s: float


@dataclass(frozen=True)
class Evaluation:
    """All that was measured on one category."""

    category: Category
    outcomes: tuple[Outcome, ...]
    metrics: dict[str, float | int | None]
    """Named as in `to_json`; None where a metric is not defined."""
    defect_types: dict[str, dict[str, float | int | None]]
    """The same for each defect type, against all good test images."""
    reasons: dict[str, str] = field(default_factory=dict)
    """Why a metric is None."""

    def to_json(self) -> dict[str, Any]:
        """Plain values for JSON: all metrics at the top, then a table per defect type."""
        return {
            "category": self.category.name,
            **self.metrics,
            "defect_types": self.defect_types,
            "undefined": self.reasons,
        }

    def of_type(self, *names: str) -> tuple[Outcome, ...]:
        """The outcomes of these defect types ("good" for good images)."""
        return tuple(outcome for outcome in self.outcomes if outcome.record.defect_type in names)


def evaluate_detector(detector: Detector, data: Path) -> Evaluation:
    """Score every test image once, then measure; the threshold is the calibrated one.

    Raises:
        UsageError, DataError: the folder does not exist, has no test images, or lacks masks for
            some of its defective images.
        ImageError: an image or mask is unreadable, or a mask has not its image's size.
    """
    category = open_category(data)
    if not category.test:
        raise DataError(f"{data} has no test images; add good and defective ones to evaluate on.")
    reasons = _missing_reasons(category)
    outcomes = tuple(
        _inspect(detector, record)
        for record in shown(category.test, "inspecting test images", total=len(category.test))
    )
    has_masks = "pixel_auroc" not in reasons
    metrics = _measure(outcomes, has_masks=has_masks)
    metrics |= _at_fixed_rates(detector, outcomes, reasons)
    metrics |= _at_threshold(detector, outcomes) | _speed(outcomes)
    good = [outcome for outcome in outcomes if not outcome.record.is_defective]
    names = sorted({o.record.defect_type for o in outcomes if o.record.is_defective})
    types = {
        name: _measure([*good, *(o for o in outcomes if o.record.defect_type == name)], has_masks=has_masks)
        for name in shown(names, "measuring each defect type")
    }
    for name, values in types.items():
        rejected = [o.is_rejected for o in outcomes if o.record.defect_type == name]
        values["detected_count"] = sum(rejected)
    return Evaluation(category, outcomes, metrics, types, reasons)
