"""Types of the arrays that hold images, maps and masks."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]
"""Image [height, width, 3] in 0..1, or anomaly map [height, width]."""
Mask = NDArray[np.bool_]
"""Boolean mask [height, width], True inside."""
Numbers = NDArray[np.floating[Any]]
"""Scores, rates or maps of any floating-point type."""
