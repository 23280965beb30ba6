"""What a large image costs, and how far its map, blended from tiles, is from the one drawn as a whole.

Repeats one image of the user's own until it fills a large one, and inspects that file. Then compares
the map that is drawn tile by tile with that of a part small enough to be drawn whole.
Prints one JSON object; differences in units of threshold minus typical value.

    python benchmarks/large_image.py RUN IMAGE
"""

import argparse
import json
import tempfile
from pathlib import Path

import numpy as np
import torch
from PIL import Image

import rcae
from rcae.base.machine import peak_memory_mib
from rcae.data.images import read_image
from rcae.detector.runners.torch_maps import as_batch


def main() -> None:
    """Inspect, compare, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", type=Path)
    parser.add_argument("image", type=Path)
    parser.add_argument("--size", type=int, nargs=2, default=(6000, 4000), metavar=("W", "H"))
    parser.add_argument("--compared", type=int, nargs=2, default=(1700, 1400), metavar=("W", "H"))
    options = parser.parse_args()
    detector = rcae.Detector.load(options.run, device="cpu")
    pixels = np.asarray(Image.open(options.image).convert("RGB"))
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "large.png"
        Image.fromarray(repeated(pixels, *options.size)).save(file, compress_level=1)
        found = detector.predict(file)
    result = {
        "size_px": options.size,
        "working_size_px": found.working_map.shape[::-1],
        "duration_s": round(found.duration_s, 1),
        "peak_memory_mib": peak_memory_mib(),
    }
    print(json.dumps({**result, **difference(detector, options)}))


def difference(detector: rcae.Detector, options: argparse.Namespace) -> dict[str, float]:
    """Of the blended map from the whole one: largest, of 99.9 % of the pixels, of the score."""
    system, calibration = detector.runner.model.system, detector.calibration
    part = repeated(detector.header.working_view.of(read_image(options.image)), *options.compared)
    with torch.inference_mode():
        batch = as_batch(part, system)
        blended = system(batch)[0].numpy()
        system.is_tiled = False
        whole = system(batch)[0].numpy()
    unit = calibration.threshold - calibration.typical_value
    distances = np.abs(blended - whole) / unit
    return {
        "largest_difference": float(distances.max()),
        "quantile_0.999": float(np.quantile(distances, 0.999)),
        "score_difference": float(blended.max() - whole.max()) / unit,
    }


def repeated(image: np.ndarray, width: int, height: int) -> np.ndarray:
    """Copies side by side, cut to size."""
    counts = -(-height // image.shape[0]), -(-width // image.shape[1]), 1
    return np.tile(image, counts)[:height, :width].copy()


if __name__ == "__main__":
    main()
