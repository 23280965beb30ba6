"""The usual image of a model: what its training images have in common, and how new ones differ from it."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Self

import numpy as np
from pydantic import PositiveFloat, PositiveInt

from rcae.base.errors import ImageError
from rcae.data.image_files import decode, read_header
from rcae.data.pixels import USUAL_WHITE, WHITE_LEVELS, Pixels, least_white_level

WORTH_A_WORD = 1.1
"""Factor of a side or of the aspect ratio, beyond the training images, from which an image is remarked on."""
SIZE_LIMIT = 1.5
"""Factor from which an image is refused unless the caller sets another (our choice).

Scores change with the size of the part in pixels. The demo's model loses a third of its finds at half size.
"""
MOST_ABOVE_WHITE = 0.01
"""Largest share of pixels above the white level; they are glints, and a larger share is another depth."""
TYPICAL_IMAGES = 16
"""Images that the brightness is measured on."""


@dataclass(frozen=True)
class UsualImage:
    """Sizes, brightness and white level of the training images."""

    heights_px: tuple[PositiveInt, PositiveInt]
    """Least and largest height."""
    widths_px: tuple[PositiveInt, PositiveInt]
    aspects: tuple[PositiveFloat, PositiveFloat]
    """Least and largest width over height."""
    brightness: float
    """Median of the mean values, as shares of white."""
    white_level: PositiveInt | None
    """Value of white in integers deeper than 8 bits; None where no training image needed one."""

    @classmethod
    def measure(cls, paths: Sequence[Path], white_level: int | None = None) -> Self:
        """Measure the training images.

        Args:
            paths: one image or more.
            white_level: value of white in deep integers; None measures it as the smallest depth of
                `WHITE_LEVELS` that holds every value.

        Raises:
            ImageError: an image cannot be read.
        """
        headers = [read_header(path) for path in paths]
        deep = [path for path, header in zip(paths, headers, strict=True) if header.is_deep]
        if white_level is None:
            white_level = measured_white_level(deep)
        heights, widths = (
            [getattr(one, f"{side}_px") for one in headers] for side in ("height", "width")
        )
        aspects = [width / height for height, width in zip(heights, widths, strict=True)]
        some = [decode(path) for path in paths[:: -(-len(paths) // TYPICAL_IMAGES)]]
        return cls(
            (min(heights), max(heights)),
            (min(widths), max(widths)),
            (min(aspects), max(aspects)),
            median(
                _brightness(pixels, pixels.white or white_level or USUAL_WHITE) for pixels in some
            ),
            white_level,
        )

    def unlikeness(self, height_px: int, width_px: int) -> float:
        """Return the factor by which an image's size or aspect lies beyond the training images; 1 within."""
        ranges = ((height_px, self.heights_px), (width_px, self.widths_px))
        sides = max(max(least / value, value / largest) for value, (least, largest) in ranges)
        aspect, (least, largest) = width_px / height_px, self.aspects
        return max(1.0, sides, least / aspect, aspect / largest)

    def size_remark(self, name: str, height_px: int, width_px: int, limit: float) -> str | None:
        """Return a remark on the size of an image; None for a usual size.

        Raises:
            ImageError: the size lies beyond the limit.
        """
        unlikeness = self.unlikeness(height_px, width_px)
        if unlikeness <= WORTH_A_WORD:
            return None
        found = f"{name} is {width_px}x{height_px} px, and the training images are {self.sizes}"
        if unlikeness > limit:
            raise ImageError(
                f"{found}; scores of such different sizes do not compare. Take images as for training, or "
                f"allow a factor of {math.ceil(10 * unlikeness) / 10:g} with --size-limit."
            )
        return f"{found}; scores of different sizes compare badly."

    def white_of(self, pixels: Pixels, name: str) -> tuple[int, str | None]:
        """Return the value of white in an image, and a remark where it had to be assumed.

        Raises:
            ImageError: the values lie beyond the white level of the training images.
        """
        if pixels.white is not None:
            return pixels.white, None
        if self.white_level is None:
            return self._assumed_white(pixels, name)
        above = float(np.greater(pixels.values, self.white_level).mean())
        if above > MOST_ABOVE_WHITE:
            raise ImageError(
                f"{name} has values up to {pixels.values.max()}, {above:.0%} of them above the white level "
                f"{self.white_level} of the training images; the camera's bit depth has changed. Set it "
                "back, or train with images of this depth."
            )
        return self.white_level, None

    def _assumed_white(self, pixels: Pixels, name: str) -> tuple[int, str]:
        """Assume the white level that makes the image about as bright as the training images."""
        largest = float(pixels.values.max())
        levels = [level for level in WHITE_LEVELS if level >= largest]
        if not levels:
            raise ImageError(f"{name} has values up to {largest:g}; an image has at most 32 bits.")
        off = {level: self._off(_brightness(pixels, level)) for level in levels}
        white = min(levels, key=lambda level: off[level])
        return white, (
            f"{name} has deep values up to {largest:g}, and the training images had 8 bits; white is assumed "
            f"to be {white}."
        )

    def _off(self, brightness: float) -> float:
        return abs(float(np.log((brightness + 1e-6) / (self.brightness + 1e-6))))

    @property
    def sizes(self) -> str:
        """Sizes of the training images, in words."""
        (low, high), (narrow, wide) = self.heights_px, self.widths_px
        if (low, narrow) == (high, wide):
            return f"{wide}x{high} px"
        return f"{narrow} to {wide} px wide and {low} to {high} px high"


def measured_white_level(deep: Sequence[Path]) -> int | None:
    """Return the least white level that holds every value of the images whose files state none.

    None stands for no such image.

    Raises:
        ImageError: an image cannot be read, or has more than 32 bits.
    """
    largest = None
    for path in deep:
        pixels = decode(path)
        if pixels.white is None:
            largest = max(largest or 0, int(pixels.values.max()))
    if largest is None:
        return None
    level = least_white_level(largest)
    if level is None:
        raise ImageError(f"{deep[0]} or another image has values up to {largest}, beyond 32 bits.")
    return level


def _brightness(pixels: Pixels, white: int) -> float:
    colours = pixels.values if pixels.values.ndim == 2 else pixels.values[..., :3]
    mean = float(colours.mean()) / white
    return 1 - mean if pixels.white_is_zero else mean
