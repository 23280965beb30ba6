"""Judge a change of the settings on good training images alone, as the protocol asks.

Trains on a category, then compares held-out good images with copies of them that carry an anomaly of
a kind which training never paints: smooth pits, hairline cracks, short or through much of the image,
foreign texture, local blur. Prints one JSON object: the image AUROC over all kinds and of each, pixel
AUROC and AP; once under the light of the training images and once with each image a little brighter
or darker, as on another day; each with the distances of features and thumbnails and without. Test images
are never opened.

    python benchmarks/held_out_anomalies.py DATA --budget-s 240 --set training.batch_size=4
    python benchmarks/held_out_anomalies.py DATA --run RUN
"""

import argparse
import csv
import json
import tempfile
from pathlib import Path

import numpy as np
from scipy import ndimage, special

import rcae
from rcae.data.images import read_image
from rcae.detector.run.run_folder import RunFolder
from rcae.evaluation.metrics.ranking import image_metrics

IMAGES = 20
LIGHT_SPREAD = 0.1
NOTICEABLE = 0.02


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
            budget_s=options.budget_s,
            seed=options.seed,
            values=options.values,
        )
        report(options, path, detector)


def report(options: argparse.Namespace, run: Path, detector: rcae.Detector) -> None:
    """Print what the held-out images of the run say of its detector, and of its map alone."""
    rows = list(csv.DictReader(RunFolder(run).data.read_text().splitlines()))
    held_out = [options.data / row["path"] for row in rows if row["role"] == "calibration"]
    images = [read_image(path) for path in held_out[:IMAGES]]
    result = {"data": options.data.name, "values": options.values}
    system = detector.runner.model.system
    whole = (system.fusion, system.thumbnail)
    for light, light_spread in (("same_light", 0.0), ("other_light", LIGHT_SPREAD)):
        system.fusion, system.thumbnail = whole
        result[light] = judge(detector, images, light_spread)
        if system.fusion is not None:
            system.fusion = system.thumbnail = None
            result[f"{light}_map_alone"] = judge(detector, images, light_spread)
    print(json.dumps(result))


def judge(detector, images, light_spread: float) -> dict[str, float]:
    """Image AUROC over all kinds and of each, pixel AUROC and AP, on held-out good images.

    Each is multiplied by a factor between 1 - `light_spread` and 1 + `light_spread`.
    """
    area_px = np.median([image.shape[0] * image.shape[1] for image in images])
    largest_unit_px = max(1.0, area_px**0.5 / 256)
    scores: dict[str, list[float]] = {"good": [], **{kind: [] for kind in KINDS}}
    values, masks = [], []
    for number, image in enumerate(images):
        for kind in scores:
            random = np.random.default_rng([number, len(kind)])
            # Sizes between what the camera can just see and what an image of 256 px can just show.
            unit_px = largest_unit_px ** random.uniform()
            changed, mask = KINDS[kind](image, unit_px, random) if kind in KINDS else (image, None)
            changed = np.clip(changed, 0, 1).astype(np.float32)
            seen = np.abs(changed - image).max(axis=2) > NOTICEABLE
            mask = np.zeros(image.shape[:2], bool) if mask is None else mask & seen
            if kind in KINDS and not mask.any():
                continue
            light = np.random.default_rng([number, len(kind), 1]).uniform(
                -light_spread, light_spread
            )
            detection = detector.predict((changed * np.float32(1 + light)).clip(max=1))
            scores[kind].append(detection.anomaly_score)
            values.append(detection.anomaly_map.ravel()[::9])
            masks.append(mask.ravel()[::9])
    pixel = image_metrics(np.concatenate(values), np.concatenate(masks))
    everything = [score for kind in KINDS for score in scores[kind]]
    return {
        "image_auroc": auroc(scores["good"], everything),
        **{kind: auroc(scores["good"], scores[kind]) for kind in KINDS},
        "pixel_auroc": round(pixel["image_auroc"], 3),
        "pixel_ap": round(pixel["image_ap"], 3),
    }


def auroc(good, anomalous) -> float:
    """Chance that an anomalous image scores above a good one."""
    labels = np.repeat([False, True], [len(good), len(anomalous)])
    scores = np.array([*good, *anomalous], dtype=np.float32)
    return round(image_metrics(scores, labels)["image_auroc"], 3)


def pit(image, unit_px, random):
    """A smooth dark spot with a bright rim."""
    row, column = centre(image, random)
    radius_px = unit_px * random.uniform(2, 8)
    rows, columns = np.mgrid[: image.shape[0], : image.shape[1]]
    distance = ((rows - row) ** 2 + (columns - column) ** 2) / radius_px**2
    profile = np.exp(-distance) - 0.5 * np.exp(-distance / 2)
    depth = 2 * image.mean() * random.uniform(0.3, 1.0)
    return image - depth * profile[..., None], distance < 1


def crack(image, unit_px, random):
    """A hairline that wanders pixel by pixel."""
    row, column = map(float, centre(image, random))
    drawn, angle = np.zeros(image.shape[:2]), random.uniform(0, 2 * np.pi)
    for _ in range(int(unit_px * random.uniform(12, 60))):
        angle += random.normal(0, 0.35 / unit_px**0.5)
        row, column = row + np.sin(angle), column + np.cos(angle)
        if 0 <= row < drawn.shape[0] and 0 <= column < drawn.shape[1]:
            drawn[int(row), int(column)] = random.uniform(0.5, 1)
    return hairline(image, drawn, unit_px, random)


def fracture(image, unit_px, random):
    """A crack through much of the image, straight at large and jagged at every smaller scale."""
    length_px, angle = min(image.shape[:2]) * random.uniform(0.35, 1.1), random.uniform(0, np.pi)
    half = length_px / 2 * np.array([np.sin(angle), np.cos(angle)])
    path, jag_px = centre(image, random) + np.stack([-half, half]), 0.05 * length_px
    for _ in range(6):
        middles = (path[1:] + path[:-1]) / 2
        path = np.insert(
            path, range(1, len(path)), middles + random.normal(0, jag_px, middles.shape), 0
        )
        jag_px /= 2
    along = np.linspace(0, len(path) - 1, int(4 * length_px))
    pixels = np.stack([np.interp(along, range(len(path)), side) for side in path.T]).astype(int)
    inside = ((pixels >= 0) & (pixels < np.array(image.shape[:2])[:, None])).all(axis=0)
    drawn = np.zeros(image.shape[:2])
    drawn[tuple(pixels[:, inside])] = 1
    return hairline(image, drawn, unit_px, random)


def hairline(image, drawn, unit_px, random):
    """Darker, sometimes brighter, along what is drawn."""
    drawn = ndimage.gaussian_filter(drawn, unit_px * random.uniform(0.5, 1.1))
    drawn /= max(drawn.max(), 1e-6)
    shift = random.choice([-1, 1], p=[0.7, 0.3]) * 2 * image.mean() * random.uniform(0.12, 0.4)
    return image + shift * drawn[..., None], drawn > 0.25


def foreign(image, unit_px, random):
    """A spot of a texture that the part never has."""
    opacity = spot(image, unit_px * random.uniform(6, 36), random)
    noise = sum(
        ndimage.gaussian_filter(random.normal(size=image.shape[:2]), unit_px * sigma) * sigma
        for sigma in (random.uniform(0.6, 2), random.uniform(2, 4.5))
    )
    strength = 2 * image.mean() * random.uniform(0.2, 0.5) * unit_px
    textured = 0.3 * image.mean() + 0.7 * image + strength * noise[..., None]
    return image + opacity[..., None] * (textured - image), opacity > 0.3


def blur(image, unit_px, random):
    """A spot out of focus or worn smooth."""
    opacity = spot(image, unit_px * random.uniform(10, 45), random)
    smooth = ndimage.gaussian_filter(image, (*[unit_px * random.uniform(2, 4)] * 2, 0))
    return image + opacity[..., None] * (smooth - image), opacity > 0.3


KINDS = {"pit": pit, "crack": crack, "fracture": fracture, "foreign": foreign, "blur": blur}


def centre(image, random) -> tuple[int, int]:
    """Row and column of a pixel, more often where the image has structure."""
    grey = image.mean(axis=2)
    edges = ndimage.uniform_filter(np.hypot(ndimage.sobel(grey, 0), ndimage.sobel(grey, 1)), 9)
    weight = (edges + 0.3 * edges.mean() + 1e-6).ravel().astype(np.float64)
    return divmod(int(random.choice(weight.size, p=weight / weight.sum())), image.shape[1])


def spot(image, extent_px, random):
    """Opacity of a smooth-edged ellipse on the image, peak 1."""
    row, column = centre(image, random)
    rows, columns = np.mgrid[: image.shape[0], : image.shape[1]]
    height_px, width_px = extent_px / 2 * random.uniform(0.4, 1.0, size=2)
    distance = ((rows - row) / height_px) ** 2 + ((columns - column) / width_px) ** 2
    return special.expit(4 * (1 - distance))


if __name__ == "__main__":
    main()
