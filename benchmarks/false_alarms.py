"""Does the promised false-alarm rate hold on real images, and what does it cost in defects?

Needs `rcae evaluate RUN CATEGORY` to have scored the test images. Two thresholds are judged per run: the
run's own, from images held out of the training session, on all good test images; and those that `rcae
calibrate` would give on half of the good test images, drawn 5000 times, on the other half. Scores alone
are read: no image is opened, nothing is chosen. Prints Markdown.

    python benchmarks/false_alarms.py runs/*
"""

import argparse
import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rcae.detector.calibration import conformal_threshold, images_needed
from rcae.detector.detector import Detector
from rcae.study.summary import markdown_table

DRAWS = 5000
PROMISES = ((0.01, None), (0.05, None), (0.1, None), (0.05, 0.95), (0.1, 0.95))
"""Rate, and confidence or None for the bound on average."""
HEAD = (
    "category",
    "calibrated on",
    "images",
    "rate asked",
    "confidence",
    "false alarms seen",
    "calibration sets that keep the rate",
    "defects found",
)


@dataclass(frozen=True)
class Scores:
    """Of one run."""

    category: str
    typical_value: float
    calibration: NDArray[np.float32]
    good: NDArray[np.float32]
    defective: NDArray[np.float32]


def main() -> None:
    """Read, judge, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("runs", type=Path, nargs="+", help="evaluated run folders")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    rows = []
    for run in arguments.runs:
        scores = read(run)
        rows += [row for promise in PROMISES if (row := same_session(scores, *promise))]
        rows += [
            row for promise in PROMISES if (row := other_images(scores, *promise, arguments.seed))
        ]
    print(markdown_table(HEAD, rows))


def read(run: Path) -> Scores:
    """The scores of a run's calibration and test images."""
    with (run / "evaluation" / "scores.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    header = Detector.load(run).header

    def of(is_good: bool) -> NDArray[np.float32]:
        chosen = [row for row in rows if (row["defect_type"] == "good") == is_good]
        return np.array([float(row["anomaly_score"]) for row in chosen], dtype=np.float32)

    session = np.array(header.calibration.scores_of_training_session, dtype=np.float32)
    typical_value = header.calibration.typical_value
    return Scores(header.provenance["category"], typical_value, session, of(True), of(False))


def same_session(scores: Scores, rate: float, confidence: float | None) -> list[str] | None:
    """The threshold from the training session, on all test images; None where it is refused."""
    count = len(scores.calibration)
    if count < images_needed(rate, confidence):
        return None
    threshold = conformal_threshold(
        scores.calibration, rate, confidence, typical_value=scores.typical_value
    )
    seen = float((scores.good >= threshold).mean())
    kept = "yes" if seen <= rate else "no"
    found = float((scores.defective >= threshold).mean())
    return row(scores, "training session", count, (rate, confidence), (seen, kept, found))


def other_images(
    scores: Scores, rate: float, confidence: float | None, seed: int
) -> list[str] | None:
    """Thresholds from half of the good test images, on the other half; None where they are refused."""
    count = len(scores.good) // 2
    if count < images_needed(rate, confidence):
        return None
    random = np.random.default_rng(seed)
    seen, found = [], []
    for _ in range(DRAWS):
        shuffled = random.permutation(scores.good)
        threshold = conformal_threshold(
            shuffled[:count], rate, confidence, typical_value=scores.typical_value
        )
        seen.append((shuffled[count:] >= threshold).mean())
        found.append((scores.defective >= threshold).mean())
    kept = f"{np.mean(np.array(seen) <= rate):.1%}"
    result = (float(np.mean(seen)), kept, float(np.mean(found)))
    return row(scores, "half of the good test images", count, (rate, confidence), result)


def row(
    scores: Scores,
    source: str,
    count: int,
    promise: tuple[float, float | None],
    result: tuple[float, str, float],
) -> list[str]:
    """One line of the table."""
    rate, confidence = promise
    seen, kept, found = result
    sure = "on average" if confidence is None else f"{confidence:.0%}"
    return [
        scores.category,
        source,
        str(count),
        f"{rate:.0%}",
        sure,
        f"{seen:.1%}",
        kept,
        f"{found:.1%}",
    ]


if __name__ == "__main__":
    main()
