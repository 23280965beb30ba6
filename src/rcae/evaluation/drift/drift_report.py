"""Report of a monitor on many predictions, as text, JSON and a chart."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rcae.base.errors import DataError
from rcae.base.storage import write_bytes, write_text
from rcae.base.text import printable
from rcae.detector.calibration import Calibration
from rcae.detector.predictions import Prediction
from rcae.drawing.charts import drift_chart
from rcae.evaluation.drift.monitor import DriftState, DriftVerdict, Monitor

MEANING = {
    DriftVerdict.NONE: "The scores still look like the calibration scores.",
    DriftVerdict.DEFECTS: "More images are rejected than calibration allows, while the accepted ones look "
    "as they did. Look at the rejected images, and at the process.",
    DriftVerdict.HIGHER: "Scores rose throughout, not in a few images, so good ones are rejected more often. "
    "Check light, focus and camera; if this is how images look from now on, calibrate again on good ones "
    "with 'rcae calibrate'.",
    DriftVerdict.LOWER: "Scores fell throughout, so defects may be accepted. Check focus, light and camera; "
    "if this is how images look from now on, calibrate again on good ones with 'rcae calibrate'.",
}


@dataclass(frozen=True)
class Watched:
    """Images in order, and the state of the monitor after each."""

    calibration: Calibration
    false_alarm_rate: float
    alarm_evidence: float
    images: tuple[Prediction, ...]
    """Images with a score."""
    scores: tuple[float, ...]
    states: tuple[DriftState, ...]
    unreadable_count: int
    decided_otherwise: int
    """Rows that were decided with another threshold than the calibration's."""

    @property
    def end(self) -> DriftState:
        """State of the monitor after the last image."""
        return self.states[-1]

    @property
    def rejected(self) -> tuple[bool, ...]:
        """Decision on each image, by the calibration's threshold."""
        return tuple(score >= self.calibration.threshold for score in self.scores)

    def image(self, number: int) -> str:
        """Return the name of an image for the user; the first image has number 1."""
        return f"image {number} ({printable(self.images[number - 1].path)})"


def watch(calibration: Calibration, rows: Iterable[Prediction], false_alarm_rate: float) -> Watched:
    """Let a new monitor see every score, in order.

    Raises:
        UsageError: the rate is not between 0 and 1.
        DataError: no row has a score, or an error of `read_predictions`, which reads the rows.
    """
    monitor = Monitor(calibration, false_alarm_rate)
    images, scores, states = [], [], []
    unreadable_count = decided_otherwise = 0
    for row in rows:
        decided_otherwise += row.threshold != calibration.threshold
        if row.anomaly_score is None:
            unreadable_count += 1
            continue
        images.append(row)
        scores.append(row.anomaly_score)
        states.append(monitor.observe(row.anomaly_score))
    if not states:
        raise DataError(
            f"None of the predictions has a score ({unreadable_count} images were unreadable); give "
            "predictions of images that could be inspected."
        )
    return Watched(
        calibration=calibration,
        false_alarm_rate=false_alarm_rate,
        alarm_evidence=monitor.alarm_evidence,
        images=tuple(images),
        scores=tuple(scores),
        states=tuple(states),
        unreadable_count=unreadable_count,
        decided_otherwise=decided_otherwise,
    )


def verdict(watched: Watched) -> str:
    """Return the verdict, with the image at which the drift started."""
    end = watched.end
    since = "" if end.since is None else f" since about {watched.image(end.since)}"
    return f"{end.verdict}{since}"


def report(watched: Watched) -> str:
    """Format the result as a few lines for a terminal."""
    end, calibration = watched.end, watched.calibration
    lines = [
        f"{end.images} images, {sum(watched.rejected)} rejected at the threshold "
        f"{calibration.threshold:.4g}; compared with {len(calibration.all_scores)} calibration images"
    ]
    if watched.unreadable_count:
        lines.append(f"{watched.unreadable_count} more were unreadable and are left out")
    if watched.decided_otherwise:
        lines.append(
            f"{watched.decided_otherwise} images were inspected with another threshold and are decided "
            "anew here: the model was calibrated again since, or is not theirs"
        )
    lines += [
        f"evidence, as powers of ten: shift {end.shift_evidence:.1f}, more rejections "
        f"{end.rejection_evidence:.1f}; drift is said from {watched.alarm_evidence:.1f}, with a chance of "
        f"at most {watched.false_alarm_rate:.2%} of ever coming so far while nothing changes",
        f"{verdict(watched)}{_seen(watched)}",
        MEANING[end.verdict],
    ]
    return "\n".join(lines)


def _seen(watched: Watched) -> str:
    end = watched.end
    if end.since is None or end.seen is None:
        return ""
    count = end.images - end.since + 1
    return (
        f", seen at {watched.image(end.seen)}; {end.rejected_since} of the {count} images since then "
        "are rejected"
    )


def write_watched(folder: Path, watched: Watched) -> None:
    """Write `drift.json` and `drift.png`, each in one step; they replace earlier ones.

    Raises:
        StorageError: the disk refused a file; the earlier file stays intact.
    """
    text = json.dumps(to_json(watched), indent=2, ensure_ascii=False)
    write_text(folder / "drift.json", text + "\n")
    write_bytes(folder / "drift.png", chart(watched))


def to_json(watched: Watched) -> dict[str, Any]:
    """Return plain values for JSON."""
    end, calibration = watched.end, watched.calibration
    return {
        "verdict": end.verdict,
        "meaning": MEANING[end.verdict],
        "since": _place(watched, end.since),
        "seen": _place(watched, end.seen),
        "rejected_since": end.rejected_since,
        "image_count": end.images,
        "rejected_count": sum(watched.rejected),
        "unreadable_count": watched.unreadable_count,
        "decided_otherwise_count": watched.decided_otherwise,
        "shift_evidence_log10": end.shift_evidence,
        "rejection_evidence_log10": end.rejection_evidence,
        "alarm_evidence_log10": watched.alarm_evidence,
        "false_alarm_rate": watched.false_alarm_rate,
        "threshold": calibration.threshold,
        "calibration_count": len(calibration.all_scores),
    }


def _place(watched: Watched, number: int | None) -> dict[str, Any] | None:
    if number is None:
        return None
    return {"number": number, "path": watched.images[number - 1].path}


def chart(watched: Watched) -> bytes:
    """Draw `rcae.drawing.charts.drift_chart` of all images."""
    return drift_chart(
        scores=watched.scores,
        rejected=watched.rejected,
        calibration_scores=watched.calibration.all_scores,
        threshold=watched.calibration.threshold,
        evidence={
            "shift": [state.shift_evidence for state in watched.states],
            "more rejections": [state.rejection_evidence for state in watched.states],
        },
        alarm_evidence=watched.alarm_evidence,
        since=watched.end.since,
    )
