"""All results of one evaluation, as values, as text and as a cell of a notebook."""

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from rcae.base.arrays import Array
from rcae.base.text import printable
from rcae.data.layouts.sample import Category, Sample
from rcae.detector.calibration import Calibration
from rcae.detector.outliers import Outlier
from rcae.drawing.charts import score_histogram
from rcae.drawing.page import notebook_html, png_uri
from rcae.evaluation.result import SUMMARY, EvaluationResult, Ranking


@dataclass(frozen=True)
class Outcome:
    """One test image, with the answer of the detector."""

    sample: Sample
    anomaly_score: float
    p_value: float
    """Conformal p-value, see `Calibration.p_value`."""
    is_rejected: bool
    working_map: Array = field(repr=False)
    """Anomaly map at working size, so that memory stays small; it is enlarged again where needed."""
    duration_s: float
    remark: str | None = None
    """Sentences on what is unusual about the image, like its size; None for a usual one."""


@dataclass(frozen=True, repr=False)
class Evaluation:
    """All results on one category; a notebook shows them as a table and a chart, `print` as text."""

    category: Category
    outcomes: tuple[Outcome, ...]
    metrics: EvaluationResult
    """All figures of metrics.json."""
    calibration: Calibration
    """Threshold of the model, and its promise."""
    known: tuple[Sample, ...]
    """Test images that the model was trained or calibrated on, as far as can be told.

    The model looks better on them than it is.
    """
    outliers: tuple[Outlier, ...] = ()
    """Calibration images far from all others, as far as the run tells."""

    @property
    def good(self) -> tuple[Outcome, ...]:
        """The outcomes of the good test images."""
        return tuple(outcome for outcome in self.outcomes if not outcome.sample.is_defective)

    @property
    def defective(self) -> tuple[Outcome, ...]:
        """The outcomes of the defective test images."""
        return tuple(outcome for outcome in self.outcomes if outcome.sample.is_defective)

    @property
    def warnings(self) -> list[str]:
        """A warning if the model knows some of the test images, else nothing."""
        if not self.known:
            return []
        return [
            f"{printable(self.known[0].path)} was trained or calibrated on, and so were "
            f"{len(self.known) - 1} of the {len(self.outcomes) - 1} other test images: false alarms "
            "and rankings look better than they are. Test on other good images, or train again without these."
        ]

    def image_name(self, outcome: Outcome) -> str:
        """Return the path of a test image within the category."""
        return printable(outcome.sample.path.relative_to(self.category.root).as_posix())

    def __str__(self) -> str:
        """Return the main metrics by defect type and overall, as a table for a terminal."""
        columns, *rows = self._table()
        lines = [f"{columns[0]:24}{columns[1]:>8}{columns[2]:>8}"]
        lines[0] += "".join(f"{name:>13}" for name in columns[3:])
        lines += [
            f"{name:24}{images:>8}{found:>8}" + "".join(f"{value:>13}" for value in values)
            for name, images, found, *values in rows
        ]
        return "\n".join([*lines, *self._remarks()])

    def __repr__(self) -> str:
        result = self.metrics
        return (
            f"Evaluation({result.category}: {result.image_count} images, {result.detected_count} of "
            f"{result.defective_count} defects found, {result.false_alarm_count} false alarms)"
        )

    def _repr_html_(self) -> str:
        """Return the cell of a notebook: the figures, and the scores of good and defective images."""
        result = self.metrics
        columns, *rows = self._table()
        pictures = []
        if self.good and self.defective:
            good, defective = (
                np.array([one.anomaly_score for one in group])
                for group in (self.good, self.defective)
            )
            chart = score_histogram(good, defective, result.threshold)
            pictures = [(png_uri(chart), "scores of good and defective images")]
        return notebook_html(
            f"{result.category}: {result.detected_count} of {result.defective_count} defects found",
            lines=[*self._remarks()],
            pictures=pictures,
            columns=columns,
            rows=rows,
        )

    def _table(self) -> Iterator[list[str]]:
        """Yield the titles, then a row for each defect type and one for all."""
        result = self.metrics
        yield ["", "images", "found", *SUMMARY]
        for name, one in result.defect_types.items():
            yield [name, str(one.image_count), str(one.detected_count), *_values(one)]
        counts = [str(result.defective_count), str(result.detected_count)]
        yield ["all defects", *counts, *_values(result)]

    def _remarks(self) -> Iterator[str]:
        """Yield the sentences below the table."""
        result = self.metrics
        yield (
            f"false alarms: {result.false_alarm_count} of {result.good_count} good images at the "
            f"calibrated threshold {result.threshold:.4g} (promised: at most "
            f"{result.false_alarm_rate_promised:.1%} {self.calibration.assurance})"
        )
        for warning in (*self.warnings, *(outlier.advice for outlier in self.outliers)):
            yield f"warning: {warning}"
        for name, reason in result.undefined.items():
            yield f"{name}: not defined, {reason}"


def _values(ranking: Ranking) -> list[str]:
    values = [getattr(ranking, column) for column in SUMMARY]
    return ["-" if value is None else format(value, ".3f") for value in values]
