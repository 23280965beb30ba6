"""What good images score, as calibration needs it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from rcae.data.images import read_image
from rcae.detection import Array
from rcae.progress import shown


@dataclass(frozen=True)
class GoodScores:
    """Of some good images."""

    scores: tuple[float, ...]
    """Their anomaly scores, float32 values, in the images' order."""
    typical_value: float
    """Median over the images of the map's median."""


def score_good_images(paths: Sequence[Path], draw: Callable[[Array], Array]) -> GoodScores:
    """Score good images exactly as `predict` would.

    Args:
        paths: the images, at least one.
        draw: from an image to its anomaly map at the image's own size.

    Raises:
        ImageError: one cannot be read, or drawn.
    """
    scores, medians = [], []
    for path in shown(paths, "calibrating on held-out good images"):
        values = draw(read_image(path))
        scores.append(float(values.max()))
        medians.append(float(np.median(values)))
    return GoodScores(tuple(scores), float(np.median(medians)))
