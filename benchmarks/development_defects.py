"""Judge a change by real defects of products that no reported figure is measured on.

Two products are kept for development: the polycrystalline solar cells of ELPV, and those of its
monocrystalline cells that the demo does not test. Trains on each, then prints one JSON object per product:
the image AUROC of the score and of each kind of evidence alone, the share of defects found at the calibrated
threshold, and that of false alarms.

    python benchmarks/development_defects.py OUT --set training.batch_size=4
"""

import argparse
import json
from pathlib import Path

import numpy as np
import torch

import rcae
from rcae.data.images import read_image
from rcae.data.layouts.category import open_category
from rcae.detector.runners.torch_maps import as_batch
from rcae.evaluation.metrics.ranking import image_metrics
from rcae.model.evidence.fusion import peaks_of
from rcae.study.demo import copy_cells, demo_cells, solar_cells, spread_over

GOOD = 100
DEFECTIVE = 100
OTHER_MODULES = 80
"""Last good monocrystalline cells; they come from other modules than the rest, and stay unused."""
STEPS = (
    "training.reconstruction.steps=350",
    "training.detail.steps=90",
    "training.detection.steps=600",
)


def main() -> None:
    """Lay out, train, judge, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("output", type=Path, help="images and runs go here; finished ones are kept")
    parser.add_argument("--preset", default="quick")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--set", dest="values", action="append", default=[])
    options = parser.parse_args()
    options.output.mkdir(parents=True, exist_ok=True)
    for crystal in ("mono", "poly"):
        data, run = options.output / crystal, options.output / f"{crystal}-run"
        if not data.exists():
            copy_cells(development_cells(crystal), data)
        if not run.exists():
            values = [*STEPS, *options.values]
            rcae.train(data, run, preset=options.preset, seed=options.seed, set=values)
        judged = judge(rcae.Detector.load(run), data)
        print(json.dumps({"product": crystal, "values": options.values, **judged}), flush=True)


def development_cells(crystal: str) -> dict[str, list[str]]:
    """Cells by folder; none of them tests the demo."""
    cells, demo = solar_cells(crystal), demo_cells()
    tested = {*demo["test/good"], *demo["test/defective"]}
    if crystal == "mono":
        tested.update(cells["good"][-OTHER_MODULES:])
    good, defective = (
        [name for name in cells[kind] if name not in tested] for kind in ("good", "defective")
    )
    return {
        "train/good": good[:-GOOD],
        "test/good": good[-GOOD:],
        "test/defective": spread_over(defective, DEFECTIVE),
    }


@torch.inference_mode()
def judge(detector: rcae.Detector, data: Path) -> dict[str, float]:
    """Image AUROC of the score and of each kind of evidence, and both shares above the threshold."""
    model = detector.runner.model
    system = model.system
    names = ("anomaly_score", *system.evidence_names)
    rows, labels = [], []
    for image in open_category(data).test:
        batch = as_batch(model.header.working_view.of(read_image(image.path)), system)
        score = detector.predict(image.path).anomaly_score
        rows.append([score, *peaks_of(system.evidence(batch))[0].tolist()])
        labels.append(image.is_defective)
    scores, is_defective = np.array(rows, dtype=np.float32), np.array(labels)
    ranked = {
        name: image_metrics(scores[:, place], is_defective)["image_auroc"]
        for place, name in enumerate(names)
    }
    is_alarm = scores[:, 0] >= np.float32(detector.calibration.threshold)
    shares = {"found": is_alarm[is_defective], "false_alarms": is_alarm[~is_defective]}
    return {name: round(float(value), 3) for name, value in ranked.items()} | {
        name: round(float(share.mean()), 3) for name, share in shares.items()
    }


if __name__ == "__main__":
    main()
