"""Connected components of a mask."""

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from rcae.base.arrays import Mask


def connected_regions(mask: Mask) -> tuple[NDArray[np.int32], int]:
    """Label the connected components of a mask with 8-connectivity.

    The evaluation script of the MVTec AD dataset uses the same connectivity.

    Args:
        mask: [height, width], True inside.

    Returns:
        labels [height, width] (0 outside, 1..count inside) and count.
    """
    labels, count = ndimage.label(mask, structure=np.ones((3, 3), np.bool_))
    return labels, count
