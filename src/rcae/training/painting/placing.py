"""Place of a painted shape in an image: on structure, or anywhere."""

from collections.abc import Callable, Iterator
from typing import TypeVar

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from scipy import ndimage

from rcae.base.arrays import Array

Kind = TypeVar("Kind")
Box = tuple[slice, slice]
"""Rows and columns of an image, within it."""
STRUCTURE_SHARE = 0.5
"""Share of the anomalies that are placed where the image has structure (our choice). Few would otherwise hit
a small part in front of a plain ground."""


def structure_of(image: Array) -> NDArray[np.float64]:
    """Return the cumulative weight of the pixels, row by row: more where there are edges and texture."""
    grey = sum(channels_of(image)) / np.float32(3)
    edges = np.abs(ndimage.sobel(grey, axis=0)) + np.abs(ndimage.sobel(grey, axis=1))
    return np.cumsum(ndimage.uniform_filter(edges, size=9).ravel() + np.float64(1e-6)).reshape(
        grey.shape
    )


def channels_of(image: Array) -> list[Array]:
    """Return one plane for each: numpy takes ten times as long to reduce an axis of three."""
    return list(np.moveaxis(image, 2, 0))


def draw_centre_px(structure: NDArray[np.float64], random: Generator) -> tuple[int, int]:
    """Return row and column of an anomaly: on structure, or anywhere."""
    height, width = structure.shape
    if random.random() < STRUCTURE_SHARE:
        drawn = np.searchsorted(structure.ravel(), random.uniform(0.0, structure[-1, -1]))
        row, column = divmod(min(int(drawn), height * width - 1), width)
        return row, column
    return int(random.integers(height)), int(random.integers(width))


def scattered(
    image: Array,
    square_px: int,
    most: int,
    draw: Callable[[Generator], tuple[Array, Kind]],
    random: Generator,
) -> Iterator[tuple[Array, Box, Kind]]:
    """Place one to `most` shapes in each square of an image; those that miss the image are left out.

    Args:
        image: [height, width, 3].
        square_px: side of the squares; a smaller image is one.
        most: largest number of shapes in one square.
        draw: draws a shape, and what its painter needs to know of it.
        random: draws everything; the caller may draw from it between two shapes.

    Yields:
        The shape's part within the image, its box in the image, and what `draw` said of it.
    """
    size_px, structure = (image.shape[0], image.shape[1]), structure_of(image)
    squares = max(1, round(size_px[0] * size_px[1] / square_px**2))
    for _ in range(random.integers(1, most + 1, size=squares).sum()):
        shape, kind = draw(random)
        inside, box = placed(shape, draw_centre_px(structure, random), size_px)
        if inside.size:
            yield inside, box, kind


def placed(shape: Array, centre_px: tuple[int, int], size_px: tuple[int, int]) -> tuple[Array, Box]:
    """Return the part of a shape that lies within the image when centred there, and its box in the image."""
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
