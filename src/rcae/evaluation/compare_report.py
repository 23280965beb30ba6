"""Output of a comparison: comparison.html, comparison.json, changes.csv, and a table as text."""

import json
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from PIL.Image import Image

from rcae.base.storage import write_bytes, write_text
from rcae.base.text import csv_text, printable
from rcae.data.layouts.sample import Sample
from rcae.drawing.page import FactGroup, Picture, PictureGroup, page
from rcae.drawing.pictures import (
    HEAT_COLOURS,
    MASK_COLOUR,
    REGION_COLOUR,
    outlined,
    overlay,
    side_by_side,
    to_image,
)
from rcae.evaluation.comparison import KINDS, Change, Comparison, Side
from rcae.evaluation.evaluate import full_map
from rcae.evaluation.evaluate_report import model_facts
from rcae.evaluation.evaluation import Outcome
from rcae.evaluation.metrics.intervals import CONFIDENCE

PICTURES_PER_KIND = 12


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
        rows=comparison.rows(),
        verdicts=comparison.verdicts(),
        changes=comparison.change_counts(),
        picture_groups=[_picture_group(comparison, kind) for kind in KINDS],
        facts=(_facts("Model A", comparison.a), _facts("Model B", comparison.b)),
        confidence=CONFIDENCE,
        heat_colours=HEAT_COLOURS,
        region_colour=REGION_COLOUR,
        mask_colour=MASK_COLOUR,
    )
    write_bytes(folder / "comparison.html", html)
    return folder / "comparison.html"


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
        "path": comparison.a.evaluation.image_name(change.a),
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
    name = comparison.a.evaluation.image_name(change.a)
    return Picture(side_by_side(panels), f"{name}: {scores}")


def _input_title(sample: Sample) -> str:
    return "Input and mask" if sample.mask_paths else "Input"


def _with_mask(picture: Image, sample: Sample) -> Image:
    return outlined(picture, sample.mask(), MASK_COLOUR) if sample.mask_paths else picture


def _score(side: Side, outcome: Outcome) -> str:
    return f"score {outcome.anomaly_score:.3f}, threshold {side.detector.calibration.threshold:.3f}"


def _facts(title: str, side: Side) -> FactGroup:
    return FactGroup(title, {"Path": printable(side.path), **model_facts(side.detector)})
