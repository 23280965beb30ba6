"""Judge whether a detector finds what anyone sees, on good training images alone.

Trains on a category, then paints obvious marks on its held-out good images, one on each: a dark hole, a
bright spot, a missing corner, a smear and a foreign colour, each on 1 to 10 % of the part. Prints one JSON
object. It has the image AUROC and the share found at the calibrated threshold, in all and for each kind.
`false_alarms` is the share of the held-out images that reach the threshold which the others of them give.
With `--minutes` it trains once for each time and prints what each finds. Test images are never opened.

    python benchmarks/obvious.py DATA --budget-s 300
    python benchmarks/obvious.py DATA --run RUN
    python benchmarks/obvious.py CELLS --cells --minutes 1,2,5
    python benchmarks/obvious.py BLOCKS --blocks --set training.detection.steps=1400
"""

import argparse
import csv
import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from obvious_blocks import lay_out_blocks, mask_of_block
from obvious_marks import LEAST_CHANGE, MARKS, draw_mark
from scipy import ndimage

import rcae
from rcae.base.arrays import Array, Mask
from rcae.data.images import read_image
from rcae.data.view.part_pose import as_batch, foreground
from rcae.data.view.working_view import WorkingView
from rcae.detector.calibration import conformal_threshold
from rcae.detector.run.run_folder import RunFolder
from rcae.evaluation.metrics.ranking import image_metrics
from rcae.study.demo import lay_out_solar_cells

IMAGES = 20
"""Held-out images that marks are painted on, at most."""


def main() -> None:
    """Train or open, judge, print."""
    options = parsed()
    lay_out: Callable[[Path], None] | None = (
        lay_out_solar_cells if options.cells else lay_out_blocks if options.blocks else None
    )
    if lay_out is not None and not options.data.exists():
        lay_out(options.data)
    result: dict[str, Any] = {"data": options.data.name, "values": options.values}
    if options.run is not None:
        result |= judge(options, options.run)
    elif options.minutes is not None:
        result["minutes"] = {
            minutes: trained_and_judged(options, 60 * float(minutes))
            for minutes in options.minutes.split(",")
        }
    else:
        result |= trained_and_judged(options, options.budget_s)
    print(json.dumps(result))


def parsed() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    images = parser.add_mutually_exclusive_group()
    images.add_argument("--cells", action="store_true", help="solar cells, laid out at DATA if new")
    images.add_argument("--blocks", action="store_true", help="blocks, drawn at DATA if new")
    parser.add_argument("--run", type=Path, help="judge this finished run instead of training one")
    parser.add_argument("--budget-s", type=float, default=300.0)
    parser.add_argument("--minutes", help="train once for each of these times, like 1,2,5")
    parser.add_argument("--preset", default="quick")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--set", dest="values", action="append", default=[], help="steps given here void the budget"
    )
    return parser.parse_args()


def trained_and_judged(options: argparse.Namespace, budget_s: float) -> dict[str, Any]:
    """Train for a time, or for the steps that the options give, and judge."""
    has_steps = any(".steps=" in value for value in options.values)
    with tempfile.TemporaryDirectory() as name:
        run = Path(name) / "run"
        rcae.train(
            options.data,
            run,
            preset=options.preset,
            budget=None if has_steps else budget_s,
            seed=options.seed,
            set=options.values,
        )
        return judge(options, run)


def judge(options: argparse.Namespace, run: Path) -> dict[str, Any]:
    """Return what the run's detector finds of the marks on its held-out images."""
    detector = rcae.Detector.load(RunFolder(run).model)
    rows = csv.DictReader(RunFolder(run).data.read_text().splitlines())
    held_out = [options.data / row["path"] for row in rows if row["role"] == "calibration"]
    good: list[float] = []
    scores: dict[str, list[float]] = {kind: [] for kind in MARKS}
    faint = 0
    for number, path in enumerate(held_out[:IMAGES]):
        image = read_image(path)
        good.append(detector.predict(image).anomaly_score)
        part = mask_of_block(path) if options.blocks else part_of(image, detector)
        for place, kind in enumerate(MARKS):
            marked, change = draw_mark(kind, image, part, np.random.default_rng([number, place]))
            faint += change < LEAST_CHANGE
            scores[kind].append(detector.predict(marked).anomaly_score)
    everything = [score for kind in MARKS for score in scores[kind]]
    threshold = detector.calibration.threshold
    return {
        **judged(good, everything, threshold),
        "false_alarms": false_alarms(detector),
        "kinds": {kind: judged(good, scores[kind], threshold) for kind in MARKS},
        "images": len(good),
        "faint_marks": faint,
    }


def judged(good: list[float], marked: list[float], threshold: float) -> dict[str, float]:
    """Return how well marked images are ranked, and the share of them found."""
    labels = np.repeat([False, True], [len(good), len(marked)])
    ranked = image_metrics(np.array([*good, *marked], dtype=np.float32), labels)
    found = np.mean(np.array(marked, dtype=np.float32) >= np.float32(threshold))
    return {"image_auroc": round(ranked["image_auroc"], 3), "found": round(float(found), 3)}


def false_alarms(detector: rcae.Detector) -> float:
    """Return the share of calibration images at or above the threshold that the others give."""
    scores = list(detector.calibration.scores)
    cross_fitted = detector.calibration.cross_fitted_scores
    alarms = [
        score
        >= conformal_threshold(
            others := [*scores[:place], *scores[place + 1 :], *cross_fitted],
            max(detector.settings.calibration.false_alarm_rate, 1 / (len(others) + 1)),
            typical_value=detector.calibration.typical_value,
        )
        for place, score in enumerate(scores)
    ]
    return round(float(np.mean(alarms)), 3)


def part_of(image: Array, detector: rcae.Detector) -> Mask:
    """Return the part's mask: the foreground if the detector has a frame, else the whole image."""
    view: WorkingView = detector.header.working_view
    if view.frame is None:
        return np.ones(image.shape[:2], dtype=np.bool_)
    whole = as_batch(view.see(image).whole)
    solid = foreground(whole, view.frame.ground, view.frame.contrast)[0].numpy() > 0.5
    labels, _ = ndimage.label(ndimage.binary_fill_holes(solid))
    largest = labels == 1 + np.bincount(labels.ravel())[1:].argmax()
    rows, columns = (
        (np.arange(side) * seen // side)
        for side, seen in zip(image.shape[:2], largest.shape, strict=True)
    )
    return np.asarray(largest[np.ix_(rows, columns)])


if __name__ == "__main__":
    main()
