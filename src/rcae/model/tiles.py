"""Overlapping tiles of a large image, and the blending of their maps."""

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import numpy as np

from rcae.base.arrays import Array
from rcae.base.interruption import require_going_on

if TYPE_CHECKING:
    from torch import Tensor

Pixels = TypeVar("Pixels", "Array", "Tensor")
"""Pixels as a numpy array if an exported file is executed without PyTorch, else as a tensor."""

TILE_PX = 1024
"""Side of a tile; the networks of the preset `quick` need about 0.7 GiB for one tile."""
OVERLAP_PX = 256
"""Overlap of neighbours.

Tiles start at multiples of it. They thus lie on the grid to which the recursion extends an image (up to
fold * 2^N = 256).
"""
MARGIN_PX = 64
"""Width of the strip along an inner edge where a tile has no weight.

The networks see beyond the tile there, and the feature distance takes it for the border of an image.
"""


class Tile(NamedTuple):
    """A part of an image, and the weight of its pixels."""

    rows: slice
    columns: slice
    weight: Array
    """Weights [height, width] of the tile; the weights of all tiles sum to 1 at every pixel."""


def blended(image: Pixels, draw: Callable[[Pixels], Sequence[Pixels]]) -> list[Pixels]:
    """Draw an image tile by tile, without seams; the memory grows with the results alone.

    An image of at most TILE_PX a side is drawn at once.

    Args:
        image: [..., height, width].
        draw: Function that returns arrays [..., height, width] for a part of the image, the same number
            for every part.

    Returns:
        The same arrays for the whole image, float32.

    Raises:
        StoppedError: somebody asked to stop; see `rcae.base.interruption.stoppable`.
    """
    height, width = image.shape[-2:]
    whole: list[Any] = []
    for tile in tiles(height, width):
        require_going_on()
        drawn: Sequence[Any] = draw(image[..., tile.rows, tile.columns])
        if tile.weight.shape == (height, width):
            return list(drawn)
        if not whole:
            whole = [_zeros(part, height, width) for part in drawn]
        for total, part in zip(whole, drawn, strict=True):
            total[..., tile.rows, tile.columns] += _beside(tile.weight, part) * part
    return whole


def drawn_together(count: int, height: int, width: int) -> Iterator[slice]:
    """Yield slices of `count` images of one size, in order; no slice takes more memory than one tile.

    An image that is cut into tiles is drawn alone: its map must not depend on its neighbours.
    """
    together = TILE_PX**2 // (height * width) if max(height, width) <= TILE_PX else 1
    for start in range(0, count, together):
        yield slice(start, min(start + together, count))


def drawn_pixels(height: int, width: int) -> int:
    """Return the number of pixels of all tiles of an image of this size, overlaps counted again."""
    return _drawn_length(height) * _drawn_length(width)


def tiles(height: int, width: int) -> Iterator[Tile]:
    """Yield the tiles of an image of this size; an image no larger than a tile is one of weight 1."""
    across = _spans(width)
    for rows, row_weights in _spans(height):
        for columns, column_weights in across:
            yield Tile(rows, columns, np.outer(row_weights, column_weights))


def _drawn_length(length: int) -> int:
    return sum(len(weights) for _, weights in _spans(length))


def _spans(length: int) -> list[tuple[slice, Array]]:
    """Return the tiles along one axis, each with a weight per pixel."""
    starts = range(0, max(length - OVERLAP_PX, 1), TILE_PX - OVERLAP_PX)
    spans = [slice(start, min(start + TILE_PX, length)) for start in starts]
    return [
        (span, _ramp(span.stop - span.start, rises=span.start > 0, falls=span.stop < length))
        for span in spans
    ]


def _ramp(length: int, *, rises: bool, falls: bool) -> Array:
    """Return weights of 1 in the middle, and a linear ramp within an overlap.

    The ramp goes from 0 to 1 between the margins of both tiles.
    """
    distance = np.arange(length, dtype=np.float32) + np.float32(0.5) - MARGIN_PX
    rising = (distance / (OVERLAP_PX - 2 * MARGIN_PX)).clip(0, 1)
    weight = np.ones(length, dtype=np.float32)
    if rises:
        weight *= rising
    if falls:
        weight *= rising[::-1]
    return weight


def _zeros(part: Any, height: int, width: int) -> Any:
    """Return zeros for the whole image, of the same kind as a part."""
    shape = (*part.shape[:-2], height, width)
    return np.zeros(shape, np.float32) if isinstance(part, np.ndarray) else part.new_zeros(shape)


def _beside(weight: Array, part: Any) -> Any:
    """Convert weights to the same kind as a part."""
    return weight if isinstance(part, np.ndarray) else part.new_tensor(weight)
