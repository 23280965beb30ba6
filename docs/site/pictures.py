"""Pictures of the page about concepts, drawn by the tool itself: python docs/site/pictures.py OUT.

A model with the paper's map alone learns solar cells of the extra `demo`, small and for minutes. The
weights are none that a user would want; the recursion is what the page explains.
"""

import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from PIL import Image

import rcae
from rcae.drawing.charts import score_histogram
from rcae.drawing.pictures import png_bytes, recursion_strip, side_by_side, to_image
from rcae.study.demo import copy_cells, demo_cells, spread_over
from rcae.training.painting.pseudo_anomalies import paint_anomalies

SETTINGS = (
    "image.size_px=128",
    "model.feature_distance=false",
    "model.patch_memory=false",
    "training.crop_px=128",
    "training.reconstruction.steps=1200",
    "training.detail.steps=200",
    "training.detection.steps=300",
)
TRAINING_COUNT = 120
SHOWN = {"good": "cell0941.png", "defective": "cell0398.png"}
"""Test cells whose recursion the page shows."""


def draw(out: Path, folder: Path) -> None:
    """Train in `folder`, and write the pictures to `out`."""
    cells = demo_cells()
    copy_cells(
        {**cells, "train/good": spread_over(cells["train/good"], TRAINING_COUNT)}, folder / "cells"
    )
    detector = rcae.train(folder / "cells", folder / "run", set=SETTINGS)
    out.mkdir(parents=True, exist_ok=True)
    tested = folder / "cells" / "test"
    for kind, name in SHOWN.items():
        seen = detector.explain(tested / kind / name)
        strip = recursion_strip(
            seen.image, seen.reconstructions, seen.restored, seen.anomaly_map, detector.heat_scale
        )
        (out / f"recursion-{kind}.png").write_bytes(png_bytes(strip))
    good, defective = (
        np.array([detector.predict(cell).anomaly_score for cell in (tested / kind).iterdir()])
        for kind in SHOWN
    )
    (out / "scores.png").write_bytes(
        score_histogram(good, defective, detector.calibration.threshold)
    )
    (out / "painted.png").write_bytes(png_bytes(painted(detector, tested / "good" / SHOWN["good"])))


def painted(detector: rcae.Detector, cell: Path) -> Image.Image:
    """Draw a good cell, painted twice, each time beside the mask of what was painted."""
    good = detector.explain(cell).image
    panels = [("Good", to_image(good))]
    for seed in (2, 4):
        image, mask = paint_anomalies(good, good, np.random.default_rng(seed))
        panels += [("Painted", to_image(image)), ("To be drawn", Image.fromarray(mask))]
    return side_by_side(panels)


if __name__ == "__main__":
    with TemporaryDirectory() as folder:
        draw(Path(sys.argv[1]), Path(folder))
