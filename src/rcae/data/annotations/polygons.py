"""Polygons of labelling tools, filled as masks."""

from collections.abc import Iterable, Sequence

import numpy as np
from PIL import Image, ImageDraw

from rcae.base.arrays import Mask

Polygon = Sequence[tuple[float, float]]
"""Corners as (x, y) in pixels; 0 is the outer edge of the first pixel."""


def draw(polygons: Iterable[Polygon], size_px: tuple[int, int]) -> Mask:
    """Fill polygons: bool [height, width], True inside any of them.

    Args:
        polygons: three corners or more each; parts outside the image are cut off.
        size_px: height and width of the image.
    """
    height, width = size_px
    picture = Image.new("L", (width, height))
    for polygon in polygons:
        # Pillow counts from the centres of pixels.
        ImageDraw.Draw(picture).polygon([(x - 0.5, y - 0.5) for x, y in polygon], fill=1)
    return np.asarray(picture) > 0


def pairs(numbers: Sequence[float]) -> list[tuple[float, float]]:
    """Return x1, y1, x2, y2, ... as corners.

    Raises:
        ValueError: the numbers are no pairs, or fewer than 3.
    """
    if len(numbers) < 6 or len(numbers) % 2:
        raise ValueError(f"{len(numbers)} numbers make no polygon of 3 or more corners")
    return list(zip(numbers[::2], numbers[1::2], strict=True))
