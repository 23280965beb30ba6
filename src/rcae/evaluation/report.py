"""The evaluation report: one HTML file that opens anywhere and fetches nothing."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from rcae.base import storage
from rcae.base.arrays import Mask, Numbers
from rcae.drawing import charts, pictures
from rcae.drawing.page import FactGroup, PictureGroup, number, page, percent
from rcae.evaluation.metrics.ranking import rank_scores, roc_curve
from rcae.evaluation.result import SUMMARY, EvaluationResult


@dataclass(frozen=True)
class EvaluationReport:
    """The result, and what the report shows beside it."""

    result: EvaluationResult
    created: str
    """The time of the report, as text."""
    assurance: str
    """The way in which the false-alarm rate is kept, see `Calibration.assurance`."""
    promise: str
    """The guarantee in one sentence, see `Calibration.promise`."""
    good_scores: Numbers
    """The scores of the good test images, [images], any floating type."""
    defective_scores: Numbers
    """The scores of the defective test images, [images], any floating type."""
    picture_groups: tuple[PictureGroup, ...]
    facts: tuple[FactGroup, ...]
    licence_note: str = ""


def write_report(path: Path, report: EvaluationReport) -> None:
    """Write the report as one self-contained HTML file, in one step.

    Raises:
        StorageError: the file could not be written; an older report at `path` is unchanged.
    """
    html = page(
        "report.html.jinja",
        report=report,
        result=report.result,
        summary=SUMMARY,
        charts=_charts(report),
        notes=_notes(report.result),
        weakest=_weakest(report.result),
        heat_colours=pictures.HEAT_COLOURS,
        region_colour=pictures.REGION_COLOUR,
    )
    storage.write_bytes(path, html)


def _charts(report: EvaluationReport) -> list[tuple[bytes, str]]:
    """Draw the charts, each as (PNG file, text for those who cannot see it)."""
    threshold = report.result.threshold
    histogram = charts.score_histogram(report.good_scores, report.defective_scores, threshold)
    return [
        *_roc_chart(report),
        (
            histogram,
            f"Histogram of the anomaly scores of {len(report.good_scores)} good and "
            f"{len(report.defective_scores)} defective test images, with the threshold at "
            f"{threshold:.4g}.",
        ),
    ]


def _roc_chart(report: EvaluationReport) -> list[tuple[bytes, str]]:
    """Draw the ROC curve over image scores, if both classes are there."""
    result = report.result
    scores = np.concatenate((report.good_scores, report.defective_scores))
    is_defective: Mask = np.arange(scores.size) >= len(report.good_scores)
    curve = roc_curve(rank_scores(scores, is_defective))
    alarms, found, area = result.false_alarm_rate_seen, result.detection_rate, result.image_auroc
    if curve is None or alarms is None or found is None or area is None:
        return []
    chart = charts.roc_chart(*curve, area, operating_point=(alarms, found))
    text = (
        f"ROC curve with area {number(area)} under it. At the threshold {percent(found)} of the "
        f"defective and {percent(alarms)} of the good test images raise an alarm."
    )
    return [(chart, text)]


def _notes(result: EvaluationResult) -> list[str]:
    """Return the footnotes of the table of defect types: each reason for a missing number, once."""
    reasons = [
        result.why_undefined(name)
        for defect_type in result.defect_types.values()
        for name in SUMMARY
        if getattr(defect_type, name) is None
    ]
    return list(dict.fromkeys(reasons))


def _weakest(result: EvaluationResult) -> str | None:
    """Return the type with the lowest image AUROC, or None where all are alike."""
    aurocs = {defect_type.image_auroc for defect_type in result.defect_types.values()}
    return result.worst_first[0] if len(aurocs) > 1 else None
