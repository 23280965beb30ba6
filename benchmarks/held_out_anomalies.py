"""Judge a change of the settings on good training images alone, as the protocol asks.

Trains on a category, then compares held-out good images with copies of them that carry an anomaly of
a kind which training never paints: smooth pits, hairline cracks, short or through much of the image,
foreign texture, local blur. Prints one JSON object: the image AUROC over all kinds and of each, pixel
AUROC and AP; once under the light of the training images and once with each image a little brighter
or darker, as on another day; each with all evidence and with M_A alone. The end of a
training weighs its evidence by the same kinds, so the weights have seen them. Test images are never opened.

    python benchmarks/held_out_anomalies.py DATA --budget-s 240 --set training.batch_size=4
    python benchmarks/held_out_anomalies.py DATA --run RUN
"""

import argparse
import csv
import json
import tempfile
from pathlib import Path

import numpy as np

import rcae
from rcae.data.images import read_image
from rcae.detector.run.run_folder import RunFolder
from rcae.evaluation.metrics.ranking import image_metrics
from rcae.training.painting.unseen_anomalies import UNSEEN_KINDS, paint_kind

IMAGES = 20
LIGHT_SPREAD = 0.1


def main() -> None:
    """Train or open, judge, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--run", type=Path, help="judge this finished run instead of training one")
    parser.add_argument("--budget-s", type=float, default=240.0)
    parser.add_argument("--preset", default="quick")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--set", dest="values", action="append", default=[])
    options = parser.parse_args()
    if options.run is not None:
        report(options, options.run, rcae.Detector.load(options.run))
        return
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "run"
        detector = rcae.train(
            options.data,
            path,
            preset=options.preset,
            budget=options.budget_s,
            seed=options.seed,
            set=options.values,
        )
        report(options, path, detector)


def report(options: argparse.Namespace, run: Path, detector: rcae.Detector) -> None:
    """Print what the held-out images of the run say of its detector, and of its map alone."""
    rows = list(csv.DictReader(RunFolder(run).data.read_text().splitlines()))
    held_out = [options.data / row["path"] for row in rows if row["role"] == "calibration"]
    images = [read_image(path) for path in held_out[:IMAGES]]
    result = {"data": options.data.name, "values": options.values}
    system = detector.runner.model.system
    whole = system.fusion
    for light, light_spread in (("same_light", 0.0), ("other_light", LIGHT_SPREAD)):
        system.fusion = whole
        result[light] = judge(detector, images, light_spread)
        if system.fusion is not None:
            system.fusion = None
            result[f"{light}_map_alone"] = judge(detector, images, light_spread)
    print(json.dumps(result))


def judge(detector, images, light_spread: float) -> dict[str, float]:
    """Image AUROC over all kinds and of each, pixel AUROC and AP, on held-out good images.

    Each is multiplied by a factor between 1 - `light_spread` and 1 + `light_spread`.
    """
    scores: dict[str, list[float]] = {"good": [], **{kind: [] for kind in UNSEEN_KINDS}}
    values, masks = [], []
    for number, image in enumerate(images):
        for kind in scores:
            random = np.random.default_rng([number, len(kind)])
            changed, mask = (
                paint_kind(kind, image, random)
                if kind in UNSEEN_KINDS
                else (image, np.zeros(image.shape[:2], dtype=np.bool_))
            )
            if kind in UNSEEN_KINDS and not mask.any():
                continue
            light = np.random.default_rng([number, len(kind), 1]).uniform(
                -light_spread, light_spread
            )
            detection = detector.predict((changed * np.float32(1 + light)).clip(max=1))
            scores[kind].append(detection.anomaly_score)
            values.append(detection.anomaly_map.ravel()[::9])
            masks.append(mask.ravel()[::9])
    pixel = image_metrics(np.concatenate(values), np.concatenate(masks))
    everything = [score for kind in UNSEEN_KINDS for score in scores[kind]]
    return {
        "image_auroc": auroc(scores["good"], everything),
        **{kind: auroc(scores["good"], scores[kind]) for kind in UNSEEN_KINDS},
        "pixel_auroc": round(pixel["image_auroc"], 3),
        "pixel_ap": round(pixel["image_ap"], 3),
    }


def auroc(good, anomalous) -> float:
    """Chance that an anomalous image scores above a good one."""
    labels = np.repeat([False, True], [len(good), len(anomalous)])
    scores = np.array([*good, *anomalous], dtype=np.float32)
    return round(image_metrics(scores, labels)["image_auroc"], 3)


if __name__ == "__main__":
    main()
