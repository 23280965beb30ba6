"""Plain strong patches: what anyone sees at a glance, for CRD to learn before anything faint."""

import numpy as np
from numpy.random import Generator

from rcae.base.arrays import Array, Mask
from rcae.training.painting.anomaly_shapes import area, log_uniform
from rcae.training.painting.placing import scattered
from rcae.training.painting.pseudo_anomalies import COVERED, visibly_changed

FIRST_SHARE, LAST_SHARE = 1.0, 0.2
"""Share of the painted windows with plain patches at the start and at the end of stage 3 (our choice)."""
SMALLEST_PX, LARGEST_PX = 12.0, 96.0
"""Extents of a patch."""
SQUARE_PX = 256
"""Side of the squares for which the number of patches is drawn."""
MOST_PATCHES = 2
"""Largest number of patches in one square."""
LEAST_CHANGE = 0.3
"""Least difference of a patch from the mean below it, in at least one channel."""


def plain_share(progress: float) -> float:
    """Return the share of plain windows once this share of stage 3 is done; it falls evenly.

    A short training would otherwise end while the faint anomalies still hide the plain ones from it.
    """
    return FIRST_SHARE + (LAST_SHARE - FIRST_SHARE) * progress


def paint_plain_patches(image: Array, random: Generator) -> tuple[Array, Mask]:
    """Paint one or two patches of one strong colour, or as many for each 256 px square of the image.

    Args:
        image: [height, width, 3], float32, 0..1; left as it is.
        random: draws everything; the same state gives the same picture.

    Returns:
        The painted image, as `image`, and the mask of the pixels that visibly changed, [height, width].
    """
    painted, covered = image.copy(), np.zeros(image.shape[:2], dtype=np.bool_)
    for inside, box, _ in scattered(image, SQUARE_PX, MOST_PATCHES, _draw_patch, random):
        colour = _strong_colour(painted[box], random)
        painted[box] += inside[..., None] * (colour - painted[box])
        covered[box] |= inside > COVERED
    painted = np.clip(painted, 0.0, 1.0)
    return painted, covered & visibly_changed(painted, image)


def _draw_patch(random: Generator) -> tuple[Array, None]:
    return area(log_uniform(SMALLEST_PX, LARGEST_PX, random), random), None


def _strong_colour(part: Array, random: Generator) -> Array:
    """Draw a colour unlike the mean of this part; grey on a grey part, where colour gives it away."""
    is_grey = bool((part == part[..., :1]).all())
    mean = part.mean(axis=(0, 1))
    while True:  # every mean leaves at least 40 % of the range
        colour = np.full(3, random.uniform()) if is_grey else random.uniform(size=3)
        if np.abs(colour - mean).max() >= LEAST_CHANGE:
            return colour.astype(np.float32)
