"""All results of a comparison of two models, A and B, as values and as text."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from rcae.base.text import printable
from rcae.data.layouts.sample import Category
from rcae.detector.detector import Detector
from rcae.drawing.page import number
from rcae.evaluation.evaluation import Evaluation, Outcome
from rcae.evaluation.metrics.comparison import AurocComparison, DecisionComparison
from rcae.evaluation.metrics.intervals import CONFIDENCE, Interval

KINDS = (
    "found only by A",
    "found only by B",
    "falsely rejected only by A",
    "falsely rejected only by B",
)


class Row(NamedTuple):
    """One line of the table, as text."""

    what: str
    a: str
    b: str
    difference: str
    p_value: str


@dataclass(frozen=True)
class Side:
    """One of the two models, and its evaluation on the test images."""

    path: Path
    """Path of the run folder, the model file or the exported file."""
    detector: Detector
    evaluation: Evaluation


@dataclass(frozen=True)
class Change:
    """A test image that A and B decide differently.

    Scores of two models have different units and are never subtracted. `strength_a` and
    `strength_b` are the scores on the scale of each model; see `HeatScale.strength`.
    """

    a: Outcome
    b: Outcome
    strength_a: float
    strength_b: float

    @property
    def kind(self) -> str:
        """One of `KINDS`."""
        what = "found" if self.a.sample.is_defective else "falsely rejected"
        return f"{what} only by {'A' if self.a.is_rejected else 'B'}"

    @property
    def size(self) -> float:
        """Certainty of the less certain model: distance of its strength from the threshold (our choice)."""
        return min(abs(self.strength_a - 1), abs(self.strength_b - 1))


@dataclass(frozen=True, repr=False)
class Comparison:
    """All results of a comparison; `print` shows them as text."""

    a: Side
    b: Side
    image_auroc: AurocComparison
    defects_found: DecisionComparison
    """Decisions on the defective images; each model has its own threshold."""
    false_alarms: DecisionComparison
    """Decisions on the good images."""
    changes: tuple[Change, ...]
    """Changed decisions, the largest first."""

    @property
    def category(self) -> Category:
        """The category that both were evaluated on."""
        return self.a.evaluation.category

    def changes_of(self, kind: str) -> list[Change]:
        """Return the changes of one of `KINDS`, the largest first."""
        return [change for change in self.changes if change.kind == kind]

    def __str__(self) -> str:
        header = Row("", "A", "B", "difference", "p")
        lines = [f"A: {printable(self.a.path)}", f"B: {printable(self.b.path)}"]
        lines += [
            f"{row.what:13} {row.a:>24} {row.b:>24} {row.difference:>27} {row.p_value:>8}"
            for row in (header, *self.rows())
        ]
        return "\n".join([*lines, *self.verdicts(), self.change_counts()])

    def __repr__(self) -> str:
        return f"Comparison({self.category.name}: {self.change_counts()})"

    def rows(self) -> list[Row]:
        """Return the three rows of the comparison; differences are of B against A."""
        auroc = self.image_auroc
        return [
            Row(
                "image AUROC",
                _estimate(auroc.a, auroc.interval_a),
                _estimate(auroc.b, auroc.interval_b),
                _estimate(auroc.difference, auroc.interval, _signed),
                "-" if auroc.p_value is None else _p(auroc.p_value),
            ),
            _decision_row("defects found", self.defects_found),
            _decision_row("false alarms", self.false_alarms),
        ]

    def verdicts(self) -> list[str]:
        """Return a sentence on each row, and warnings: either a model is better, or it may be chance."""
        auroc, found, alarms = self.image_auroc, self.defects_found, self.false_alarms
        return [
            f"image AUROC: {_verdict(auroc.difference, auroc.p_value)}",
            f"defects found: {_verdict(found.b - found.a, found.p_value)}",
            f"false alarms: {_verdict(alarms.a - alarms.b, alarms.p_value)}",
            *(f"warning, A: {words}" for words in self.a.evaluation.warnings),
            *(f"warning, B: {words}" for words in self.b.evaluation.warnings),
        ]

    def change_counts(self) -> str:
        """Count the images that change decision, in all and by kind."""
        kinds = ", ".join(f"{len(self.changes_of(kind))} {kind}" for kind in KINDS)
        total = len(self.a.evaluation.outcomes)
        return f"{len(self.changes)} of {total} images change decision: {kinds}"


def _decision_row(what: str, found: DecisionComparison) -> Row:
    return Row(
        what,
        f"{found.a} of {found.total}",
        f"{found.b} of {found.total}",
        f"{found.only_a} only A, {found.only_b} only B",
        _p(found.p_value),
    )


def _verdict(gain: float, p_value: float | None) -> str:
    """Judge the gain of B over A."""
    if p_value is None:
        return "these images cannot tell whether the difference is more than chance"
    if p_value > 1 - CONFIDENCE:
        return f"the difference is no more than chance (p = {_p(p_value)})"
    return f"{'B' if gain > 0 else 'A'} is better beyond chance (p = {_p(p_value)})"


def _estimate(
    value: float, interval: Interval | None, text: Callable[[float], str] = number
) -> str:
    if interval is None:
        return f"{text(value)} (no interval)"
    return f"{text(value)} ({text(interval.low)} to {text(interval.high)})"


def _signed(value: float) -> str:
    return f"{value:+.3f}"


def _p(p_value: float) -> str:
    return f"{p_value:.3g}"
