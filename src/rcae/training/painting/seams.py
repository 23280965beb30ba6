"""Seams across good windows: beyond one the surface is of another light or grain (our choice).

Uneven surfaces end at an outline with the worse worked part within, often larger than a window. Only the
seam itself counts as anomalous: from farther away nobody can tell which of the two sides is right.
"""

import numpy as np
from numpy.random import Generator
from scipy import ndimage

from rcae.base.arrays import Array, Mask
from rcae.training.painting.anomaly_shapes import log_uniform
from rcae.training.painting.pseudo_anomalies import visibly_changed

SEAM_SHARE = 0.15
"""Share of the windows of stage 3 that a seam crosses."""

WITHIN_PX = -2.0, 12.0
"""Distances beyond the line that belong to the seam."""

LONGEST_WAVE_PX = 256.0
"""Length of the longest of the waves by which a line wanders."""
MOST_BENT_PX = 12.0
"""Largest amplitude of that wave."""


def paint_seam(image: Array, random: Generator) -> tuple[Array, Mask]:
    """Let a line cross a good image, straight or wandering, beyond which its surface is another.

    Args:
        image: [height, width, 3], float32, 0..1; left as it is.
        random: draws everything; the same state gives the same picture.

    Returns:
        The painted image, as `image`, and the mask of the pixels along the visible seam, [height, width].
    """
    beyond_px = _beyond_px((image.shape[0], image.shape[1]), random)
    opacity = np.clip(0.5 + beyond_px / (2 * random.uniform(0.3, 3.0)), 0.0, 1.0)
    painted = image + opacity[..., None].astype(np.float32) * (_worked(image, random) - image)
    painted = np.clip(painted, 0.0, 1.0)
    along = (beyond_px > WITHIN_PX[0]) & (beyond_px < WITHIN_PX[1])
    return painted, along & visibly_changed(painted, image)


def _beyond_px(size_px: tuple[int, int], random: Generator) -> Array:
    """Distance of each pixel beyond a line that crosses the image anywhere; negative before it."""
    rows, columns = np.meshgrid(*(np.arange(side) for side in size_px), indexing="ij")
    angle = random.uniform(0.0, 2.0 * np.pi)
    across = np.cos(angle) * (columns - random.uniform(0.15, 0.85) * size_px[1])
    across += np.sin(angle) * (rows - random.uniform(0.15, 0.85) * size_px[0])
    along = np.cos(angle) * rows - np.sin(angle) * columns
    bend_px = random.choice([0.0, random.uniform(0.0, MOST_BENT_PX)])
    for wave in (1, 2, 3):
        phase = 2 * np.pi * along / (LONGEST_WAVE_PX / wave) + random.uniform(0, 2 * np.pi)
        across += bend_px / wave * np.cos(phase)
    return np.asarray(across, dtype=np.float32)


def _worked(image: Array, random: Generator) -> Array:
    """The image brighter or darker, its grain weaker or stronger, or both: a surface worked otherwise."""
    kind = random.integers(3)
    gain = 1.0 + random.choice([-1.0, 1.0]) * random.uniform(0.05, 0.4) if kind != 0 else 1.0
    grain = (
        float(np.exp(random.choice([-1.0, 1.0]) * random.uniform(0.3, 1.2))) if kind != 1 else 1.0
    )
    rows_px, columns_px = (log_uniform(0.7, 6.0, random) for _ in range(2))
    plain = ndimage.gaussian_filter(image, (rows_px, columns_px, 0.0), truncate=2)
    return np.asarray(gain * (plain + grain * (image - plain)), dtype=np.float32)
