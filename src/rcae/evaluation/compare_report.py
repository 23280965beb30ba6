"""Output of a comparison: comparison.html, comparison.json, changes.csv, and a table as text."""

import json
from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from PIL.Image import Image

from rcae.base.storage import write_bytes, write_text
from rcae.base.text import csv_text, printable
from rcae.data.layouts.sample import Sample
from rcae.drawing.page import FactGroup, Picture, PictureGroup, number, page
from rcae.drawing.pictures import (
    HEAT_COLOURS,
    MASK_COLOUR,
    REGION_COLOUR,
    outlined,
    overlay,
    side_by_side,
    to_image,
)
from rcae.evaluation.compare import KINDS, Change, Comparison, Side
from rcae.evaluation.evaluate import Outcome, full_map
from rcae.evaluation.evaluate_report import image_name, known_warning, model_facts
from rcae.evaluation.metrics.comparison import DecisionComparison
from rcae.evaluation.metrics.intervals import CONFIDENCE, Interval

PICTURES_PER_KIND = 12


class Row(NamedTuple):
    """One line of the table, as text."""

    what: str
    a: str
    b: str
    difference: str
    p_value: str


def write_comparison(folder: Path, comparison: Comparison) -> Path:
    """Write all files, each in one step, and return the path of the page.

    Raises:
        StorageError: the disk refused a file; files of an earlier comparison stay intact.
    """
    write_text(folder / "comparison.json", to_json(comparison) + "\n")
    write_text(folder / "changes.csv", changes_csv(comparison))
    html = page(
        "comparison.html.jinja",
        category=comparison.category.name,
        created=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        rows=rows(comparison),
        verdicts=verdicts(comparison),
        changes=change_counts(comparison),
        picture_groups=[_picture_group(comparison, kind) for kind in KINDS],
        facts=(_facts("Model A", comparison.a), _facts("Model B", comparison.b)),
        confidence=CONFIDENCE,
        heat_colours=HEAT_COLOURS,
        region_colour=REGION_COLOUR,
        mask_colour=MASK_COLOUR,
    )
    write_bytes(folder / "comparison.html", html)
    return folder / "comparison.html"


def table(comparison: Comparison) -> str:
    """Format the comparison as text for a terminal."""
    header = Row("", "A", "B", "difference", "p")
    lines = [f"A: {printable(comparison.a.path)}", f"B: {printable(comparison.b.path)}"]
    lines += [
        f"{row.what:13} {row.a:>24} {row.b:>24} {row.difference:>27} {row.p_value:>8}"
        for row in (header, *rows(comparison))
    ]
    return "\n".join([*lines, *verdicts(comparison), change_counts(comparison)])


def rows(comparison: Comparison) -> list[Row]:
    """Return the three rows of the comparison; differences are of B against A."""
    auroc = comparison.image_auroc
    return [
        Row(
            "image AUROC",
            _estimate(auroc.a, auroc.interval_a),
            _estimate(auroc.b, auroc.interval_b),
            _estimate(auroc.difference, auroc.interval, _signed),
            "-" if auroc.p_value is None else _p(auroc.p_value),
        ),
        _decision_row("defects found", comparison.defects_found),
        _decision_row("false alarms", comparison.false_alarms),
    ]


def _decision_row(what: str, found: DecisionComparison) -> Row:
    return Row(
        what,
        f"{found.a} of {found.total}",
        f"{found.b} of {found.total}",
        f"{found.only_a} only A, {found.only_b} only B",
        _p(found.p_value),
    )


def verdicts(comparison: Comparison) -> list[str]:
    """Return a sentence on each row, and warnings: either a model is better, or it may be chance."""
    auroc, found, alarms = (
        comparison.image_auroc,
        comparison.defects_found,
        comparison.false_alarms,
    )
    return [
        f"image AUROC: {_verdict(auroc.difference, auroc.p_value)}",
        f"defects found: {_verdict(found.b - found.a, found.p_value)}",
        f"false alarms: {_verdict(alarms.a - alarms.b, alarms.p_value)}",
        *(f"warning, A: {words}" for words in known_warning(comparison.a.evaluation)),
        *(f"warning, B: {words}" for words in known_warning(comparison.b.evaluation)),
    ]


def _verdict(gain: float, p_value: float | None) -> str:
    """Judge the gain of B over A."""
    if p_value is None:
        return "these images cannot tell whether the difference is more than chance"
    if p_value > 1 - CONFIDENCE:
        return f"the difference is no more than chance (p = {_p(p_value)})"
    return f"{'B' if gain > 0 else 'A'} is better beyond chance (p = {_p(p_value)})"


def change_counts(comparison: Comparison) -> str:
    """Count the images that change decision, in all and by kind."""
    kinds = ", ".join(f"{len(comparison.changes_of(kind))} {kind}" for kind in KINDS)
    total = len(comparison.a.evaluation.outcomes)
    return f"{len(comparison.changes)} of {total} images change decision: {kinds}"


def to_json(comparison: Comparison) -> str:
    """Return all results of the comparison as one JSON object."""
    plain = {
        "category": comparison.category.name,
        "confidence": CONFIDENCE,
        "a": _side_json(comparison.a),
        "b": _side_json(comparison.b),
        "image_auroc": asdict(comparison.image_auroc),
        "defects_found": asdict(comparison.defects_found),
        "false_alarms": asdict(comparison.false_alarms),
        "changes": [_change_row(comparison, change) for change in comparison.changes],
    }
    return json.dumps(plain, indent=2, ensure_ascii=False)


def changes_csv(comparison: Comparison) -> str:
    """Return a CSV row per image that changes decision, the largest change first."""
    columns = ["path", "defect_type", "change"]
    columns += [
        f"{name}_{side}" for side in "ab" for name in ("anomaly_score", "threshold", "strength")
    ]
    rows = (_change_row(comparison, change) for change in comparison.changes)
    return csv_text(columns, ([row[column] for column in columns] for row in rows))


def _change_row(comparison: Comparison, change: Change) -> dict[str, Any]:
    return {
        "path": image_name(comparison.a.evaluation, change.a),
        "defect_type": change.a.sample.defect_type,
        "change": change.kind,
        "anomaly_score_a": change.a.anomaly_score,
        "threshold_a": comparison.a.detector.calibration.threshold,
        "strength_a": change.strength_a,
        "anomaly_score_b": change.b.anomaly_score,
        "threshold_b": comparison.b.detector.calibration.threshold,
        "strength_b": change.strength_b,
    }


def _side_json(side: Side) -> dict[str, Any]:
    return {
        "model": printable(side.path),
        "weights_sha256": side.detector.runner.weights_sha256,
        **side.evaluation.metrics.model_dump(),
    }


def _picture_group(comparison: Comparison, kind: str) -> PictureGroup:
    changes = comparison.changes_of(kind)
    left_out = len(changes) - PICTURES_PER_KIND
    explanation = f"{left_out} smaller changes are left out here; changes.csv lists them."
    return PictureGroup(
        title=f"{kind[0].upper()}{kind[1:]}: {len(changes)}",
        explanation=explanation if left_out > 0 else "",
        pictures=tuple(_picture(comparison, change) for change in changes[:PICTURES_PER_KIND]),
    )


def _picture(comparison: Comparison, change: Change) -> Picture:
    image = comparison.a.detector.read(change.a.sample.path).image
    sides = (("A", comparison.a, change.a), ("B", comparison.b, change.b))
    panels = [(_input_title(change.a.sample), _with_mask(to_image(image), change.a.sample))]
    panels += [
        (
            f"{name}: {'defective' if outcome.is_rejected else 'good'}",
            overlay(image, full_map(outcome), side.detector.heat_scale),
        )
        for name, side, outcome in sides
    ]
    scores = "; ".join(f"{name} {_score(side, outcome)}" for name, side, outcome in sides)
    name = image_name(comparison.a.evaluation, change.a)
    return Picture(side_by_side(panels), f"{name}: {scores}")


def _input_title(sample: Sample) -> str:
    return "Input and mask" if sample.mask_paths else "Input"


def _with_mask(picture: Image, sample: Sample) -> Image:
    return outlined(picture, sample.mask(), MASK_COLOUR) if sample.mask_paths else picture


def _score(side: Side, outcome: Outcome) -> str:
    return f"score {outcome.anomaly_score:.3f}, threshold {side.detector.calibration.threshold:.3f}"


def _facts(title: str, side: Side) -> FactGroup:
    return FactGroup(title, {"Path": printable(side.path), **model_facts(side.detector)})


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
