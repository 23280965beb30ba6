"""Output of an evaluation: report.html, metrics.json, scores.csv, and a table as text."""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from PIL.Image import Image

from rcae.base.machine import package_versions
from rcae.base.storage import write_text
from rcae.base.text import csv_text, printable
from rcae.data.doctor import give_aways
from rcae.detector.detector import Detector
from rcae.drawing.page import FactGroup, Picture, PictureGroup
from rcae.drawing.pictures import overlay, recursion_strip
from rcae.evaluation.evaluate import full_map
from rcae.evaluation.evaluation import Evaluation, Outcome
from rcae.evaluation.report import EvaluationReport, write_report

PICTURES_PER_GROUP = 6


def write_evaluation(
    folder: Path, evaluation: Evaluation, detector: Detector, *, licence_note: str = ""
) -> Path:
    """Write all files, each in one step, and return the path of the report.

    Raises:
        StorageError: the disk refused a file; files of an earlier evaluation stay intact.
    """
    write_text(folder / "metrics.json", evaluation.metrics.to_json() + "\n")
    write_text(folder / "scores.csv", scores_csv(evaluation))
    report = folder / "report.html"
    write_report(report, _report(evaluation, detector, licence_note))
    return report


def scores_csv(evaluation: Evaluation) -> str:
    """Return scores.csv, one row per test image."""
    columns = ("path", "defect_type", "anomaly_score", "p_value", "threshold", "decision")
    rows = (
        (
            evaluation.image_name(outcome),
            outcome.sample.defect_type,
            outcome.anomaly_score,
            outcome.p_value,
            evaluation.metrics.threshold,
            "defective" if outcome.is_rejected else "good",
            round(1000 * outcome.duration_s, 3),
            "" if outcome.remark is None else printable(outcome.remark),
        )
        for outcome in evaluation.outcomes
    )
    return csv_text((*columns, "milliseconds", "remark"), rows)


def _report(evaluation: Evaluation, detector: Detector, licence_note: str) -> EvaluationReport:
    return EvaluationReport(
        result=evaluation.metrics,
        created=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        assurance=evaluation.calibration.assurance,
        promise=evaluation.calibration.promise,
        good_scores=np.array([outcome.anomaly_score for outcome in evaluation.good]),
        defective_scores=np.array([outcome.anomaly_score for outcome in evaluation.defective]),
        picture_groups=(
            *_outlier_group(evaluation, detector),
            *_picture_groups(evaluation, detector),
        ),
        facts=_facts(evaluation, detector),
        licence_note=licence_note,
    )


def _picture_groups(evaluation: Evaluation, detector: Detector) -> tuple[PictureGroup, ...]:
    threshold = detector.calibration.threshold

    def by_score(outcomes: Sequence[Outcome]) -> list[Outcome]:
        return sorted(outcomes, key=lambda outcome: outcome.anomaly_score)

    good, defective = by_score(evaluation.good), by_score(evaluation.defective)
    borderline = sorted(
        evaluation.outcomes, key=lambda outcome: abs(outcome.anomaly_score - threshold)
    )
    groups = {
        "Clearest defects": ("the defective images with the highest scores", defective[::-1]),
        "Missed or weakest defects": ("the defective images with the lowest scores", defective),
        "Good images nearest to an alarm": ("the good images with the highest scores", good[::-1]),
        "Borderline": ("the images nearest to the threshold", borderline),
        "Typical good images": ("the good images in the middle", good[len(good) // 2 :]),
    }
    overlays = tuple(
        PictureGroup(
            title,
            explanation,
            tuple(
                Picture(_overlay(outcome, detector), _caption(evaluation, outcome))
                for outcome in outcomes[:PICTURES_PER_GROUP]
            ),
        )
        for title, (explanation, outcomes) in groups.items()
    )
    if not detector.can_explain:
        return overlays
    shown_in_strips = [*defective[-2:][::-1], *defective[:1], *good[len(good) // 2 :][:1]]
    strips = tuple(
        Picture(_strip(outcome, detector), _caption(evaluation, outcome))
        for outcome in shown_in_strips
    )
    explanation = "what each recursion made of the image, from shallow to deep"
    return (*overlays, PictureGroup("Through the recursion", explanation, strips))


def _outlier_group(evaluation: Evaluation, detector: Detector) -> list[PictureGroup]:
    """Show the calibration images far from all others, those that still lie where they were."""
    shown = [one for one in evaluation.outliers if Path(one.image.path).is_file()]
    if not shown:
        return []
    pictures = tuple(
        Picture(_looked_at(Path(one.image.path), detector), one.advice)
        for one in shown[:PICTURES_PER_GROUP]
    )
    explanation = (
        "images that were held out as good ones, and that the model finds unlike all the others"
    )
    return [PictureGroup("Calibration images far from all others", explanation, pictures)]


def _looked_at(path: Path, detector: Detector) -> Image:
    return overlay(
        detector.read(path).image, detector.predict(path).anomaly_map, detector.heat_scale
    )


def _overlay(outcome: Outcome, detector: Detector) -> Image:
    return overlay(detector.read(outcome.sample.path).image, full_map(outcome), detector.heat_scale)


def _strip(outcome: Outcome, detector: Detector) -> Image:
    seen = detector.explain(outcome.sample.path)
    return recursion_strip(
        seen.image, seen.reconstructions, seen.restored, seen.anomaly_map, detector.heat_scale
    )


def _caption(evaluation: Evaluation, outcome: Outcome) -> str:
    decision = "rejected" if outcome.is_rejected else "accepted"
    return f"{evaluation.image_name(outcome)}: score {outcome.anomaly_score:.3f}, {decision}"


def _facts(evaluation: Evaluation, detector: Detector) -> tuple[FactGroup, ...]:
    result = evaluation.metrics
    return (
        FactGroup("Model", model_facts(detector)),
        FactGroup(
            "This evaluation",
            {
                "Data": f"{evaluation.category.root.resolve()} ({evaluation.category.layout})",
                "Images": f"{result.good_count} good, {result.defective_count} defective",
                "Time per image": f"median {result.milliseconds_median:.0f} ms, 95 % below "
                f"{result.milliseconds_p95:.0f} ms",
                "Peak memory": f"{result.peak_memory_mib} MiB",
                "Detected at 1 % / 5 % false alarms": f"{_share(result.detection_rate_at_1_percent)} / "
                f"{_share(result.detection_rate_at_5_percent)}",
                "Image F1 (oracle threshold)": _share(result.image_f1_max),
                **{f"Note {n}": note for n, note in enumerate(_notes(evaluation), start=1)},
            },
        ),
        FactGroup("Versions", package_versions()),
    )


def _notes(evaluation: Evaluation) -> list[str]:
    category = evaluation.category
    warnings = [
        f"{printable(category.name)} {message}"
        for _, message in give_aways.measure(category).warnings()
    ]
    return [*evaluation.warnings, *warnings, *category.notes]


def model_facts(detector: Detector) -> dict[str, str]:
    """Return the facts about a model for the reader of a report, by name."""
    header = detector.header
    return {
        "Trained on": f"{header.provenance['training_images']} good images of "
        f"{header.provenance['category']}",
        "Calibrated on": f"{len(detector.calibration.scores)} other good images{_helped(detector)}",
        **header.training_facts,
        "Data list (SHA-256)": header.provenance["data_sha256"],
    }


def _helped(detector: Detector) -> str:
    count = len(detector.calibration.cross_fitted_scores)
    return f", and {count} of training, each judged by the others" if count else ""


def _share(value: float | None) -> str:
    return "not defined" if value is None else f"{value:.1%}"
