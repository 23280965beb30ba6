"""Pseudo anomalies painted into good images: the paper's colour patches, lines and copy-paste, and more.

The paper fixes the three kinds and leaves sizes and strengths open. Ours spread both over wide ranges:
a real defect may be a faint scratch one pixel wide or a large bright stain.

An anomaly is a shape (where) and a fill (what stands there). Only the box around the shape is ever computed.
"""

from functools import reduce

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from scipy import ndimage

from rcae.base.arrays import Array, Mask
from rcae.training.painting.anomaly_fills import AREA_FILLS, LINE_FILLS, draw_fill
from rcae.training.painting.anomaly_shapes import (
    area,
    draw_extent_px,
    draw_shadow_extent_px,
    line,
    shadow,
)

VISIBLE_CHANGE = 0.03
"""Change in 0..1 beyond which a painted pixel counts as anomalous, there or within 2 px."""

COVERED = 0.2
"""Opacity of a shape from which a pixel belongs to it."""

LINE_SHARE = 0.4
"""Share of the anomalies that are lines."""

SQUARE_PX = 128
"""Side of the squares for which number and size of the anomalies are drawn (our choice). Anomalies are thus
as dense and as large in windows of every size; half of it is the largest extent."""

MOST_ANOMALIES = 4
"""Largest number of anomalies painted into one square."""

STRUCTURE_SHARE = 0.5
"""Share of the anomalies that are placed where the image has structure (our choice). Few would otherwise hit
a small part in front of a plain ground."""

SHADOW_SHARE = 0.1
"""Share of the images that get a soft-edged shade besides (our choice). Some defects are nothing but half a
part that is darker than it should be."""


def paint_anomalies(image: Array, donor: Array, random: Generator) -> tuple[Array, Mask]:
    """Paint one to four pseudo anomalies into a good image, or as many for each 128 px square of it.

    Some images get a soft-edged shade in addition.

    Args:
        image: [height, width, 3], float32, 0..1; left as it is.
        donor: another (or the same) good image of any size, the source of copy-paste.
        random: draws everything; the same state gives the same picture.

    Returns:
        The painted image, as `image`, and the mask of the pixels that visibly changed, [height, width].
    """
    painted, covered = image.copy(), np.zeros(image.shape[:2], dtype=np.bool_)
    structure = _structure(image)
    squares = max(1, round(image.shape[0] * image.shape[1] / SQUARE_PX**2))
    for _ in range(random.integers(1, MOST_ANOMALIES + 1, size=squares).sum()):
        extent_px = draw_extent_px(min(*image.shape[:2], SQUARE_PX) / 2, random)
        is_line = random.random() < LINE_SHARE
        shape = line(extent_px, random) if is_line else area(extent_px, random)
        inside, box = _place(shape, _centre_px(structure, random), image.shape[:2])
        if inside.size == 0:
            continue
        opacity = inside[..., None] * np.float32(random.uniform(0.3, 1.0))
        shares = LINE_FILLS if is_line else AREA_FILLS
        fill = draw_fill(shares, painted, donor, box, random)
        painted[box] += opacity * (fill - painted[box])
        covered[box] |= inside > COVERED
    if random.random() < SHADOW_SHARE:
        _paint_shadow(painted, covered, random)
    painted = np.clip(painted, 0.0, 1.0)
    return painted, covered & visibly_changed(painted, image)


def visibly_changed(painted: Array, image: Array) -> Mask:
    """Mask of the pixels where any channel, there or within 2 px, differs by more than `VISIBLE_CHANGE`.

    Args:
        painted: [height, width, 3], 0..1.
        image: the same before it was painted on.

    Returns:
        [height, width]
    """
    change = reduce(np.maximum, _channels(np.abs(painted - image)))
    return np.asarray(ndimage.maximum_filter(change, size=5) > VISIBLE_CHANGE)


def _paint_shadow(painted: Array, covered: Mask, random: Generator) -> None:
    """Paint one shade in place; what it covers by half belongs to it."""
    height, width = covered.shape
    extent_px = draw_shadow_extent_px(min(height, width), random)
    centre_px = int(random.integers(height)), int(random.integers(width))
    inside, box = _place(shadow(extent_px, random), centre_px, (height, width))
    if inside.size:
        strength = random.uniform(0.1, 0.6) * random.choice([-1.0, 1.0])
        painted[box] += np.float32(strength * painted[box].mean()) * inside[..., None]
        covered[box] |= inside > 0.5


def _structure(image: Array) -> NDArray[np.float64]:
    """Cumulative weight of the pixels, row by row: more where the image has edges and texture."""
    grey = sum(_channels(image)) / np.float32(3)
    edges = np.abs(ndimage.sobel(grey, axis=0)) + np.abs(ndimage.sobel(grey, axis=1))
    return np.cumsum(ndimage.uniform_filter(edges, size=9).ravel() + np.float64(1e-6)).reshape(
        grey.shape
    )


def _channels(image: Array) -> list[Array]:
    """One plane for each: numpy takes ten times as long to reduce an axis of three."""
    return list(np.moveaxis(image, 2, 0))


def _centre_px(structure: NDArray[np.float64], random: Generator) -> tuple[int, int]:
    """Row and column of an anomaly: on structure, or anywhere."""
    height, width = structure.shape
    if random.random() < STRUCTURE_SHARE:
        drawn = np.searchsorted(structure.ravel(), random.uniform(0.0, structure[-1, -1]))
        row, column = divmod(min(int(drawn), height * width - 1), width)
        return row, column
    return int(random.integers(height)), int(random.integers(width))


def _place(
    shape: Array, centre_px: tuple[int, int], size_px: tuple[int, int]
) -> tuple[Array, tuple[slice, slice]]:
    """The part of a shape that lies within the image when centred there, and its box in the image."""
    first = [centre - side // 2 for centre, side in zip(centre_px, shape.shape, strict=True)]
    starts = [max(top, 0) for top in first]
    ends = [
        min(top + side, length)
        for top, side, length in zip(first, shape.shape, size_px, strict=True)
    ]
    inside = shape[
        starts[0] - first[0] : ends[0] - first[0], starts[1] - first[1] : ends[1] - first[1]
    ]
    return inside, (slice(starts[0], ends[0]), slice(starts[1], ends[1]))
