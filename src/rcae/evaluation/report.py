"""The evaluation report: one HTML file that opens anywhere and fetches nothing."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from rcae.base import storage
from rcae.base.arrays import Numbers
from rcae.drawing import charts, pictures
from rcae.drawing.page import FactGroup, PictureGroup, number, page, percent


@dataclass(frozen=True)
class Measured:
    """A measured number, or the reason why there is none ("no masks in ground_truth/").

    Raises:
        ValueError: neither or both are given, or the number is not finite.
    """

    value: float | None
    reason: str = ""

    def __post_init__(self) -> None:
        if (self.value is None) != bool(self.reason):
            raise ValueError(f"give a value or the reason for its absence, not {self}")
        if self.value is not None and not np.isfinite(self.value):
            raise ValueError(f"{self} is not a number to report: give None and the reason")


@dataclass(frozen=True)
class SummaryMetric:
    """One big number of the summary, with a plain sentence on what it tells."""

    name: str
    measured: Measured
    explanation: str


@dataclass(frozen=True)
class DefectRow:
    """How well one defect type is found; `detected` images reach the threshold."""

    name: str
    image_count: int
    detected: int
    image_auroc: Measured
    image_ap: Measured
    pixel_auroc: Measured
    pixel_ap: Measured
    aupro: Measured


@dataclass(frozen=True)
class OperatingPoint:
    """What happens at the calibrated threshold.

    `promised_false_alarm_rate` is in 0..1, `assurance` how it is kept, and `promise` says in one sentence
    what it means and what it rests on; the counts are those of the test images.
    """

    threshold: float
    promised_false_alarm_rate: float
    assurance: str
    promise: str
    good_images: int
    false_alarms: int
    defective_images: int
    detected: int


@dataclass(frozen=True)
class RocCurve:
    """Points [points] of the ROC curve over image scores, and the area under it."""

    false_positive_rate: Numbers
    true_positive_rate: Numbers
    auroc: float


@dataclass(frozen=True)
class EvaluationReport:
    """All that the report shows. `roc` is None where one class of test images is missing."""

    title: str
    created: str
    operating_point: OperatingPoint
    summary: tuple[SummaryMetric, ...]
    defects: tuple[DefectRow, ...]
    roc: RocCurve | None
    good_scores: Numbers
    defective_scores: Numbers
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
        charts=_charts(report),
        notes=_reasons(report.defects),
        weakest=_weakest(report.defects),
        heat_colours=pictures.HEAT_COLOURS,
        region_colour=pictures.REGION_COLOUR,
    )
    storage.write_bytes(path, html)


def _charts(report: EvaluationReport) -> list[tuple[bytes, str]]:
    """The charts that can be drawn, as (PNG file, text for those who cannot see it)."""
    point, drawn = report.operating_point, []
    if report.roc is not None:
        rates = (point.false_alarms / point.good_images, point.detected / point.defective_images)
        curve = (report.roc.false_positive_rate, report.roc.true_positive_rate, report.roc.auroc)
        drawn.append(
            (
                charts.roc_chart(*curve, operating_point=rates),
                f"ROC curve with area {number(report.roc.auroc)} under it. At the threshold "
                f"{percent(rates[1])} of the defective and {percent(rates[0])} of the good test "
                "images raise an alarm.",
            )
        )
    histogram = charts.score_histogram(report.good_scores, report.defective_scores, point.threshold)
    drawn.append(
        (
            histogram,
            f"Histogram of the anomaly scores of {len(report.good_scores)} good and "
            f"{len(report.defective_scores)} defective test images, with the threshold at "
            f"{point.threshold:.4g}.",
        )
    )
    return drawn


def _reasons(defects: tuple[DefectRow, ...]) -> list[str]:
    """Every reason for a missing number in the table, once: its footnotes."""
    cells = [cell for row in defects for cell in vars(row).values() if isinstance(cell, Measured)]
    return list(dict.fromkeys(cell.reason for cell in cells if cell.reason))


def _weakest(defects: tuple[DefectRow, ...]) -> DefectRow | None:
    """The type whose images are told from good ones worst; None where nothing can be compared."""
    ranked = [(row.image_auroc.value, row) for row in defects if row.image_auroc.value is not None]
    differ = len({value for value, _ in ranked}) > 1
    return min(ranked, key=lambda pair: pair[0])[1] if differ else None
