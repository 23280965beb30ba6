"""Fills of pseudo anomalies: what stands under a shape, computed for its box alone.

Every fill gets the image as painted so far, another good image of any size, and the box. Both images are
[height, width, 3], float32, 0..1. It returns [box height, box width, 3], float32, not clipped.
"""

from collections.abc import Callable, Mapping

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from scipy import fft, ndimage

from rcae.base.arrays import Array
from rcae.training.painting.placing import Box

Fill = Callable[[Array, Array, Box, Generator], Array]


def draw_fill(
    shares: Mapping[Fill, float], image: Array, donor: Array, box: Box, random: Generator
) -> Array:
    """Fill the box with one of the fills, each as often as its share says.

    Args:
        shares: `AREA_FILLS` or `LINE_FILLS`.
        image: the image painted so far, [height, width, 3], 0..1.
        donor: another good image of any size, [height, width, 3], 0..1.
        box: the place in `image`.
        random: draws everything; the same state gives the same fill.

    Returns:
        [box height, box width, 3], not clipped.
    """
    fills = list(shares)
    fill = fills[int(random.choice(len(fills), p=list(shares.values())))]
    return fill(image, donor, box, random)


def colour(image: Array, donor: Array, box: Box, random: Generator) -> Array:  # noqa: ARG001
    """Return one colour, alone or with noise; grey in a grey image, where colour would give it away."""
    part = image[box]
    is_grey = bool((part == part[..., :1]).all())
    drawn = random.uniform(0.0, 1.0, size=1 if is_grey or random.random() < 0.5 else 3)
    noise = random.normal(0.0, random.uniform(0.0, 0.2), size=(*part.shape[:2], 1))
    return np.broadcast_to(drawn + noise, part.shape).astype(np.float32)


def shade(image: Array, donor: Array, box: Box, random: Generator) -> Array:  # noqa: ARG001
    """Return the image itself, darker or brighter, evenly or in clouds: scratches, stains, corrosion.

    Half of the changes are relative to the brightness there, as those of a surface under weak light.
    """
    part = image[box]
    shift = random.uniform(0.05, 0.5) * random.choice([-1.0, 1.0])
    if random.random() < 0.5:
        shift *= 2.0 * float(part.mean())
    if random.random() < 0.5:
        return part + np.float32(shift)
    clouds = _clouds(part.shape[:2], random.uniform(2.0, 16.0), random)
    return part + np.float32(shift) * clouds[..., None]


def moved(image: Array, donor: Array, box: Box, random: Generator) -> Array:  # noqa: ARG001
    """Return another good image, from anywhere in it, mirrored at random: right texture, wrong place.

    An image smaller than the box goes on at its other side.
    """
    height, width = (side.stop - side.start for side in box)
    rows = (random.integers(donor.shape[0]) + np.arange(height)) % donor.shape[0]
    columns = (random.integers(donor.shape[1]) + np.arange(width)) % donor.shape[1]
    part = donor[np.ix_(rows, columns)]
    return part[:: random.choice([-1, 1]), :: random.choice([-1, 1])]


def blended(image: Array, donor: Array, box: Box, random: Generator) -> Array:
    """`moved` without a seam: it keeps its edges and takes its brightness from around the box.

    Its content tells it from good texture, as with a real defect, and not its edge. The idea is that
    of Schlüter et al., Natural Synthetic Anomalies, 2022.
    """
    part = moved(image, donor, box, random)
    return part + _membrane(image[box] - part)


def turned(image: Array, donor: Array, box: Box, random: Generator) -> Array:  # noqa: ARG001
    """Return the image itself, shifted, turned and scaled a little: bent, broken or misplaced structure."""
    angle, scale = random.normal(0.0, 0.4), np.exp(random.normal(0.0, 0.25))
    turn = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    centre = np.array([(side.start + side.stop) / 2 for side in box])
    rows, columns = _grid(box)
    away = np.stack([rows - centre[0], columns - centre[1]])
    shift = centre + random.normal(0.0, 6.0, size=2)
    return _sampled(image, np.tensordot(turn, away, axes=1) + shift[:, None, None])


def warped(image: Array, donor: Array, box: Box, random: Generator) -> Array:  # noqa: ARG001
    """Return the image itself, pulled about by a smooth random field: dents, kinks, distorted weave."""
    size_px = (box[0].stop - box[0].start, box[1].stop - box[1].start)
    cell_px, strength_px = random.uniform(5.0, 20.0), random.uniform(2.0, 6.0)
    field = np.stack([_clouds(size_px, cell_px, random) for _ in range(2)])
    return _sampled(image, np.stack(_grid(box)) + strength_px * field)


AREA_FILLS: dict[Fill, float] = {
    colour: 0.2,
    shade: 0.25,
    moved: 0.05,
    blended: 0.3,
    turned: 0.1,
    warped: 0.1,
}
"""Shares of the fills of patches and blobs; they add up to 1."""
LINE_FILLS: dict[Fill, float] = {colour: 0.4, shade: 0.6}
"""Shares of the fills of lines. A line of copied texture looks like good texture and would teach nothing."""


def _grid(box: Box) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Row and column of every pixel of the box."""
    rows, columns = (np.arange(side.start, side.stop, dtype=np.float64) for side in box)
    grid = np.meshgrid(rows, columns, indexing="ij")
    return grid[0], grid[1]


def _sampled(image: Array, coordinates: NDArray[np.float64]) -> Array:
    """Return the image at these rows and columns [2, height, width], mirrored beyond its border."""
    planes = [
        ndimage.map_coordinates(image[..., channel], coordinates, order=1, mode="mirror")
        for channel in range(3)
    ]
    return np.stack(planes, axis=2)


def _membrane(values: Array) -> Array:
    """Return the smoothest surface [height, width, 3] that has these values along its border.

    Every pixel within is the mean of its four neighbours: Poisson's equation, solved by sines.
    """
    height, width = values.shape[:2]
    if min(height, width) < 3:
        return values
    surface = values.copy()
    surface[1:-1, 1:-1] = 0.0
    pull = surface[:-2, 1:-1] + surface[2:, 1:-1] + surface[1:-1, :-2] + surface[1:-1, 2:]
    rows, columns = (
        2.0 - 2.0 * np.cos(np.pi * np.arange(1, side - 1) / (side - 1)) for side in (height, width)
    )
    stiffness = (rows[:, None] + columns)[..., None].astype(np.float32)
    waves = fft.dstn(pull, type=1, axes=(0, 1)) / stiffness
    surface[1:-1, 1:-1] = fft.idstn(waves, type=1, axes=(0, 1))
    return surface


def _clouds(size_px: tuple[int, int], cell_px: float, random: Generator) -> Array:
    """Smooth noise of about unit strength whose spots are about `cell_px` wide."""
    cells = [int(np.ceil(side / cell_px)) + 2 for side in size_px]
    coarse = random.normal(size=cells)
    rows, columns = (np.arange(side) / cell_px for side in size_px)
    grid = np.meshgrid(rows, columns, indexing="ij")
    return np.asarray(ndimage.map_coordinates(coarse, grid, order=1), dtype=np.float32)
