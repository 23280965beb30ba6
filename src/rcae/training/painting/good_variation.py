"""What a good window could have looked like as well, on another day or the other way round."""

import numpy as np
from numpy.random import Generator
from scipy import ndimage

from rcae.base.arrays import Array

LIGHT = (0.92, 1.08)
"""Factors on the window's mean."""
CONTRAST = (0.85, 1.15)
"""Factors on the distance from the window's mean."""
NOISE = (0.0, 0.015)
"""Standard deviations of the noise in half of the windows; images are 0..1."""
BLUR_PX = (0.3, 0.9)
"""Standard deviations of the Gaussian blur in a quarter of the windows."""


def varied(window: Array, random: Generator, *, mirrored: bool) -> Array:
    """The window mirrored or not, in other light, noisier or out of focus: as good as before (our choice).

    CRD sees each good image dozens of times, and would come to know these very images. Others of their
    kind, let alone of another day, would then look anomalous to it.

    Args:
        window: [height, width, 3], float32, 0..1; left as it is.
        random: draws everything; the same state gives the same variation.
        mirrored: whether the window may be; false where all images show a part in the same pose.

    Returns:
        Same shape, float32, 0..1.
    """
    turned = window[:: random.choice((1, -1)), :: random.choice((1, -1))] if mirrored else window
    if random.random() < 0.25:
        deviation_px = random.uniform(*BLUR_PX)
        turned = ndimage.gaussian_filter(turned, (deviation_px, deviation_px, 0))
    mean = np.float32(turned.mean())
    changed = (turned - mean) * np.float32(random.uniform(*CONTRAST))
    changed += mean * np.float32(random.uniform(*LIGHT))
    if random.random() < 0.5:
        noise = random.standard_normal(changed.shape, dtype=np.float32)
        changed += np.float32(random.uniform(*NOISE)) * noise
    return changed.clip(0, 1)
