"""How soon `rcae.Monitor` sees changes of light, focus, noise and place, and what it calls them.

Inspects every good test image of a category as it is, and changed in memory, each way more and more.
Then, many times, draws half of the good images to calibrate on; of the others, some are watched as they
are and the rest changed, or with defective images among them. Prints a Markdown table, and writes it and
the chart of the first draw of every change.

    python benchmarks/drift.py RUN DATA -o OUT --defects scratch
"""

import argparse
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy import ndimage

import rcae
from rcae.base.progress import shown
from rcae.base.storage import write_bytes, write_text
from rcae.data.images import read_image
from rcae.data.layouts.category import open_category
from rcae.detector.calibration import Calibration, calibrate
from rcae.detector.predictions import Prediction
from rcae.evaluation.drift.drift_report import Watched, chart, watch
from rcae.evaluation.drift.monitor import DriftVerdict
from rcae.study.summary import markdown_table

Change = Callable[[np.ndarray, float, np.random.Generator], np.ndarray]
Scores = np.ndarray


def brighter(image: np.ndarray, factor: float, _: np.random.Generator) -> np.ndarray:
    """All light, times a factor."""
    return image * factor


def lit_from_one_side(image: np.ndarray, share: float, _: np.random.Generator) -> np.ndarray:
    """Light that falls from left to right, by this share of it above and below the mean."""
    return image * np.linspace(1 + share, 1 - share, image.shape[1])[:, None]


def blurred(image: np.ndarray, sigma_px: float, _: np.random.Generator) -> np.ndarray:
    """A Gaussian blur."""
    return ndimage.gaussian_filter(image, (sigma_px, sigma_px, 0), mode="nearest")


def noisy(image: np.ndarray, deviation: float, random: np.random.Generator) -> np.ndarray:
    """Grey Gaussian noise, in parts of the largest value."""
    return image + random.normal(0, deviation, image.shape[:2])[..., None]


def moved(image: np.ndarray, distance_px: float, _: np.random.Generator) -> np.ndarray:
    """To the right; the left edge is repeated."""
    return ndimage.shift(image, (0, distance_px, 0), order=0, mode="nearest")


CHANGES: dict[str, tuple[Change, tuple[float, ...]]] = {
    "brightness, times": (brighter, (1.1, 1.3, 1.6)),
    "light from one side, share": (lit_from_one_side, (0.1, 0.3, 0.6)),
    "blur, sigma in px": (blurred, (0.5, 1.0, 2.0)),
    "noise, standard deviation": (noisy, (0.01, 0.03, 0.1)),
    "place, px to the right": (moved, (2, 8, 32)),
}
ONE_DEFECT_IN = (5, 2)
HEAD = (
    *("change", "by", *(verdict.value for verdict in DriftVerdict)),
    *("seen too soon", "seen at image", "dated to image", "rejected"),
)


def main() -> None:
    """Inspect, watch, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", type=Path)
    parser.add_argument("data", type=Path)
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--defects", nargs="+", help="types of defects to mix in; all unless given")
    parser.add_argument("--draws", type=int, default=100)
    parser.add_argument("--unchanged", type=int, default=10, help="images before the change")
    parser.add_argument("--false-alarm-rate", type=float, default=0.01)
    options = parser.parse_args()
    detector = rcae.Detector.load(options.run)
    samples = open_category(options.data).test
    good = [read_image(sample.path) for sample in samples if not sample.is_defective]
    types = options.defects or {sample.defect_type for sample in samples if sample.is_defective}
    defective = [read_image(sample.path) for sample in samples if sample.defect_type in types]
    draws = Draws(options, detector.calibration, inspect(detector, good))
    rows = [draws.row("nothing", "", draws.unchanged)]
    rows += [
        draws.row(name, strength, inspect(detector, good, change, strength))
        for name, (change, strengths) in CHANGES.items()
        for strength in strengths
    ]
    defects = inspect(detector, defective)
    rows += [draws.row("one defect in", n, draws.unchanged, defects) for n in ONE_DEFECT_IN]
    table = markdown_table(HEAD, rows)
    write_text(options.output / "drift.md", table + "\n")
    print(table)


def inspect(
    detector: rcae.Detector,
    images: list[np.ndarray],
    change: Change = lambda image, *_: image,
    strength: float = 0.0,
) -> Scores:
    """The score of each image, changed."""
    random = np.random.default_rng(0)
    scores = []
    for image in shown(images, "inspecting"):
        changed = np.clip(change(image, strength, random), 0, 1).astype(np.float32)
        scores.append(detector.predict(changed).anomaly_score)
    return np.array(scores)


@dataclass(frozen=True)
class Draws:
    """Many ways to divide the good images: half to calibrate on, some before the change, the rest after."""

    options: argparse.Namespace
    calibration: Calibration
    """Of the run: its rate is asked for in every draw."""
    unchanged: Scores
    """Of the good images as they are."""

    def row(
        self, name: str, by: float | str, changed: Scores, defects: Scores | None = None
    ) -> list[str]:
        """Of the table.

        In how many draws which verdict, and in how many already before the change; medians over those
        with drift after it, counted from the first changed image; share rejected from there on.
        """
        random = np.random.default_rng(0)
        watched = [self._watch(random, by, changed, defects) for _ in range(self.options.draws)]
        file_name = f"{name} {by}".replace(",", "").strip().replace(" ", "-")
        write_bytes(self.options.output / f"{file_name}.png", chart(watched[0]))
        before = self.options.unchanged
        ends = [each.end for each in watched]
        counts = Counter(end.verdict for end in ends)
        soon = sum(end.seen is not None and end.seen <= before for end in ends)
        rightly = [end for end in ends if end.seen is not None and end.seen > before]
        medians = ["-", "-"]
        if rightly:
            places = [(end.seen - before, end.since - before) for end in rightly]
            medians = [f"{median:.0f}" for median in np.median(places, axis=0)]
        rejected = np.mean([np.mean(each.rejected[before:]) for each in watched])
        verdicts = [str(counts[verdict]) for verdict in DriftVerdict]
        return [name, str(by), *verdicts, str(soon), *medians, f"{rejected:.0%}"]

    def _watch(
        self,
        random: np.random.Generator,
        by: float | str,
        changed: Scores,
        defects: Scores | None,
    ) -> Watched:
        order = random.permutation(len(self.unchanged))
        calibrating, stream = np.split(order, [len(order) // 2])
        before, after = np.split(stream, [self.options.unchanged])
        scores_after = changed[after]
        if defects is not None:
            scores_after = mixed(scores_after, random.permutation(defects), every=int(by))
        calibration = calibrate(
            self.unchanged[calibrating].tolist(),
            self.calibration.typical_value,
            self.calibration.false_alarm_rate,
        )
        scores = np.concatenate([self.unchanged[before], scores_after])
        rows = [
            Prediction(path=str(n), anomaly_score=float(score), threshold=calibration.threshold)
            for n, score in enumerate(scores, start=1)
        ]
        return watch(calibration, rows, self.options.false_alarm_rate)


def mixed(good: Scores, defects: Scores, every: int) -> Scores:
    """Every n-th image a defective one, as long as there are good ones between them."""
    places = np.arange(every - 1, len(good) + 1, every - 1)[: len(defects)]
    return np.insert(good, places, defects[: len(places)])


if __name__ == "__main__":
    main()
