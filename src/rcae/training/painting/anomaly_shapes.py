"""Shapes of pseudo anomalies: opacity on a canvas just large enough for them.

Every shape is [height, width], float32, 0..1, with a peak of 1.
"""

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from scipy import ndimage

from rcae.base.arrays import Array

Points = NDArray[np.float64]
"""(x, y) in px, [point, 2]."""
SMALLEST_PX = 3.0
"""Extent of the smallest anomaly."""
SMALLEST_SHADOW_PX, LARGEST_SHADOW_PX = 48.0, 96.0
"""Extents of shades. Wider ones have an inside from which CRD does not see their edge. It would have to call
brightness itself anomalous, and small defects drown."""
_CORNERS = np.array([[-1.0, -1.0], [1.0, -1.0], [1.0, 1.0], [-1.0, 1.0]])


def draw_extent_px(largest_px: float, random: Generator) -> float:
    """An extent in px, log-uniform from 3 to `largest_px`: small defects are as frequent as large."""
    return log_uniform(SMALLEST_PX, max(SMALLEST_PX + 1, largest_px), random)


def draw_shadow_extent_px(largest_px: float, random: Generator) -> float:
    """An extent in px, log-uniform from 48 to 96, or to `largest_px` where that lies between."""
    largest_px = min(max(SMALLEST_SHADOW_PX, largest_px), LARGEST_SHADOW_PX)
    return log_uniform(SMALLEST_SHADOW_PX, largest_px, random)


def area(extent_px: float, random: Generator) -> Array:
    """A patch or a blob of about `extent_px`."""
    return patch(extent_px, random) if random.random() < 0.4 else blob(extent_px, random)


def patch(extent_px: float, random: Generator) -> Array:
    """A rotated rectangle with sharp or soft edges."""
    angle = random.uniform(0.0, np.pi)
    axes = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    corners = (_CORNERS * extent_px * random.uniform(0.3, 1.0, size=2) / 2) @ axes
    return _drawn(corners, random.uniform(0.0, 3.0))


def blob(extent_px: float, random: Generator) -> Array:
    """A closed outline whose radius wanders, sharp or a little soft: stains, chips, dents."""
    return _drawn(_outline(extent_px, random), random.uniform(0.0, 3.0))


def shadow(extent_px: float, random: Generator) -> Array:
    """A blob whose edge is the softer the larger it is: uneven shade, wear, moisture, dark regions."""
    return _drawn(_outline(extent_px, random), extent_px * random.uniform(0.02, 0.12))


def line(extent_px: float, random: Generator) -> Array:
    """A wandering line: scratches, cracks, hairs, fibres."""
    count = int(random.integers(3, 10))
    turns = random.uniform(0, 2 * np.pi) + np.cumsum(
        random.normal(0.0, random.uniform(0, 0.7), count)
    )
    step_px = 2.0 * extent_px / count
    path = np.cumsum(step_px * np.stack([np.cos(turns), np.sin(turns)], axis=1), axis=0)
    width_px = max(1, round(float(random.exponential(1.5))))
    return _drawn(path, random.uniform(0.0, 0.7), line_width_px=width_px)


def log_uniform(smallest: float, largest: float, random: Generator) -> float:
    """A value between both whose logarithm is drawn evenly: every doubling is as likely as the next."""
    return float(np.exp(random.uniform(np.log(smallest), np.log(largest))))


def _outline(extent_px: float, random: Generator) -> Points:
    """A closed curve about the origin whose radius wanders."""
    angles = np.linspace(0.0, 2.0 * np.pi, num=48, endpoint=False)
    radii = np.ones_like(angles)
    for wave in range(1, 6):
        radii += random.normal(0.0, 0.4 / wave) * np.cos(
            wave * angles + random.uniform(0, 2 * np.pi)
        )
    outline: Points = np.abs(radii)[:, None] * np.stack([np.cos(angles), np.sin(angles)], axis=1)
    outline *= extent_px / 2 * random.uniform(0.3, 1.0, size=2)
    return outline


def _drawn(points: Points, softness_px: float, line_width_px: int = 0) -> Array:
    """The polygon of these points, or the line through them, with edges softened."""
    margin_px = int(np.ceil(2 * softness_px)) + line_width_px + 1
    points = points - points.min(axis=0) + margin_px
    width, height = np.ceil(points.max(axis=0)).astype(int) + margin_px + 1
    canvas = Image.new("L", (int(width), int(height)))
    corners = [tuple(point) for point in points]
    if line_width_px:
        ImageDraw.Draw(canvas).line(corners, fill=255, width=line_width_px)
    else:
        ImageDraw.Draw(canvas).polygon(corners, fill=255, outline=255)
    opacity = ndimage.gaussian_filter(np.asarray(canvas, dtype=np.float32), softness_px, truncate=2)
    return np.asarray(opacity / opacity.max(), dtype=np.float32)
