"""The arrays that images, maps and masks are, by one name each."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]
"""An image [height, width, 3] in 0..1, or an anomaly map [height, width]."""
Mask = NDArray[np.bool_]
"""[height, width], True inside."""
Numbers = NDArray[np.floating[Any]]
"""Scores, rates or maps of any floating type."""
