"""Pseudo anomalies painted into good images: the paper's colour patches, lines and copy-paste, and more.

The paper fixes the three kinds and leaves sizes and strengths open. Ours spread both over wide ranges:
a real defect may be a faint scratch one pixel wide or a large bright stain.

An anomaly is a shape (where) and a fill (what stands there). Only the box around the shape is ever computed.
"""

from collections.abc import Callable, Mapping
from functools import partial, reduce

import numpy as np
from numpy.random import Generator
from scipy import ndimage

from rcae.base.arrays import Array, Mask
from rcae.base.plug_ins import Table
from rcae.training.painting.anomaly_fills import AREA_FILLS, LINE_FILLS, Fill, draw_fill
from rcae.training.painting.anomaly_shapes import (
    area,
    draw_extent_px,
    draw_shadow_extent_px,
    line,
    shadow,
)
from rcae.training.painting.placing import channels_of, placed, scattered

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
    largest_px = min(*image.shape[:2], SQUARE_PX) / 2
    draw = partial(_draw_shape, largest_px)
    for inside, box, shares in scattered(image, SQUARE_PX, MOST_ANOMALIES, draw, random):
        opacity = inside[..., None] * np.float32(random.uniform(0.3, 1.0))
        fill = draw_fill(shares, painted, donor, box, random)
        painted[box] += opacity * (fill - painted[box])
        covered[box] |= inside > COVERED
    if random.random() < SHADOW_SHARE:
        _paint_shadow(painted, covered, random)
    painted = np.clip(painted, 0.0, 1.0)
    return painted, covered & visibly_changed(painted, image)


def _draw_shape(largest_px: float, random: Generator) -> tuple[Array, Mapping[Fill, float]]:
    """Draw a line or an area, with the shares of the fills that suit it."""
    extent_px = draw_extent_px(largest_px, random)
    if random.random() < LINE_SHARE:
        return line(extent_px, random), LINE_FILLS
    return area(extent_px, random), AREA_FILLS


def visibly_changed(painted: Array, image: Array) -> Mask:
    """Mask of the pixels where any channel, there or within 2 px, differs by more than `VISIBLE_CHANGE`.

    Args:
        painted: [height, width, 3], 0..1.
        image: the same before it was painted on.

    Returns:
        [height, width]
    """
    change = reduce(np.maximum, channels_of(np.abs(painted - image)))
    return np.asarray(ndimage.maximum_filter(change, size=5) > VISIBLE_CHANGE)


def _paint_shadow(painted: Array, covered: Mask, random: Generator) -> None:
    """Paint one shade in place; what it covers by half belongs to it."""
    height, width = covered.shape
    extent_px = draw_shadow_extent_px(min(height, width), random)
    centre_px = int(random.integers(height)), int(random.integers(width))
    inside, box = placed(shadow(extent_px, random), centre_px, (height, width))
    if inside.size:
        strength = random.uniform(0.1, 0.6) * random.choice([-1.0, 1.0])
        painted[box] += np.float32(strength * painted[box].mean()) * inside[..., None]
        covered[box] |= inside > 0.5


Painter = Callable[[Array, Array, Generator], tuple[Array, Mask]]
"""Arguments and results are those of `paint_anomalies`."""
PAINTERS: Table[Painter] = Table(
    "pseudo anomaly",
    "rcae.anomalies",
    Callable,  # type: ignore[arg-type]
    {"mixed": paint_anomalies},
)
"""Painters of pseudo anomalies by their names."""
