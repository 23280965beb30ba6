"""Decoded pixels as a file stores them, and what the file says about their white."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

BITS = (8, 10, 12, 14, 16, 20, 24, 32)
"""Depths that cameras deliver in wider integers; the white level of a depth is 2**bits - 1."""
WHITE_LEVELS = tuple(2**bits - 1 for bits in BITS)
USUAL_WHITE = 65535
"""White level of integers deeper than 8 bits where nothing else is known."""


@dataclass(frozen=True)
class Pixels:
    """Pixels of one file, upright, in the units of the file."""

    values: NDArray[np.generic]
    """[height, width] (grey), or [height, width, 3 or 4] (RGB or RGBA), of integers or floats."""
    white: int | None
    """Value of white that the file states; None for deep integers of a file that does not say."""
    white_is_zero: bool = False
    """True if 0 is white, and white is black."""


def least_white_level(largest: float) -> int | None:
    """Return the smallest white level that a value does not exceed; None beyond 32 bits."""
    return next((level for level in WHITE_LEVELS if largest <= level), None)
