"""Exposure of each image: blank, dark and overexposed ones, and ones of another bit depth."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Self

import numpy as np

from rcae.base.arrays import Array

BLANK = 2 / 255
"""Largest difference of values in a blank image."""
DARK = 0.3
"""Share of the median brightest tone below which an image is dark (our choice)."""
OVEREXPOSED = 0.5
"""Share of white pixels from which an image is overexposed, where few of the others have any."""
WHITE = 254 / 255


@dataclass(frozen=True)
class Tone:
    """Tones of one image, 0..1."""

    span: float
    """Largest minus smallest value."""
    brightest: float
    """Value that 99 % of the pixels do not exceed."""
    white_share: float
    """Share of pixels that are white in every channel."""

    @classmethod
    def of(cls, pixels: Array) -> Self:
        """Measure an image [height, width, 3], on every fourth row."""
        some = pixels[::4]
        darkest_channel = some.min(axis=2)
        return cls(
            span=float(np.ptp(pixels)),
            brightest=float(np.quantile(some, 0.99)),
            white_share=float((darkest_channel >= WHITE).mean()),
        )


def odd_tones(tones: Sequence[Tone]) -> Iterator[tuple[int, str, str]]:
    """Yield place, code and message of each image whose exposure is unlike that of the others."""
    if not tones:
        return
    usual_brightest = median(tone.brightest for tone in tones)
    usual_white = median(tone.white_share for tone in tones)
    for place, tone in enumerate(tones):
        if tone.span <= BLANK:
            message = (
                "shows nothing, for all its pixels have the same value; take it again or remove it."
            )
            yield place, "blank-image", message
        elif tone.brightest < DARK * usual_brightest:
            message = (
                f"is dark: its brightest tone is {tone.brightest:.0%} of white, and {usual_brightest:.0%} is "
                "usual. Check its exposure and its bit depth, or remove it."
            )
            yield place, "dark-image", message
        elif tone.white_share >= OVEREXPOSED and 2 * usual_white < OVEREXPOSED:
            message = (
                f"is overexposed: {tone.white_share:.0%} of its pixels are white, and {usual_white:.0%} are "
                "usual. Take it again or remove it."
            )
            yield place, "overexposed-image", message
