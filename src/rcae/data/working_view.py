"""How the networks see an image: at which size and at which exposure."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from statistics import median
from typing import Literal, Self

import numpy as np
from numpy.typing import NDArray

from rcae.data.images import resize

Array = NDArray[np.float32]

MOST_GAIN = 4.0
"""By which an image is brightened at most: in one that is nearly black there is noise alone."""
LEAST_BRIGHTNESS = 1 / 255
"""That images are brought to, even where those trained on are black."""


@dataclass(frozen=True)
class WorkingView:
    """One rule for all images of a model.

    `scale` working pixels per camera pixel, the same for every image, so that texture keeps its size
    even where images differ in size (our choice); or, squashed, a square of `squashed_px`.

    `brightness` is the mean that every image is brought to by a factor, values cut off at 1 as by a
    camera; None leaves the exposure as it is.
    """

    scale: float
    squashed_px: int | None = None
    brightness: float | None = None

    @classmethod
    def fit(
        cls,
        sizes_px: Iterable[tuple[int, int]],
        size_px: int,
        how: Literal["keep_aspect", "squash"],
    ) -> Self:
        """The rule that gives a typical image of these sizes the area of a square of `size_px`.

        Images are never enlarged: a scale above 1 adds work and no detail.
        """
        area_px = median(height * width for height, width in sizes_px)
        scale = min(1.0, size_px / area_px**0.5)
        return cls(scale, size_px if how == "squash" else None)

    def exposed_like(self, images: Iterable[Array]) -> Self:
        """This rule, which also brings every image to the median of these images' mean brightness."""
        typical = median(float(image.mean()) for image in images)
        return replace(self, brightness=max(typical, LEAST_BRIGHTNESS))

    @property
    def keeps_size(self) -> bool:
        """Whether the networks see every image at its own size."""
        return self.scale == 1.0 and self.squashed_px is None

    @property
    def keeps_image(self) -> bool:
        """Whether the networks see every image as it is."""
        return self.keeps_size and self.brightness is None

    def size_of(self, height: int, width: int) -> tuple[int, int]:
        """Height and width for the networks, of an image of this height and width."""
        if self.squashed_px is not None:
            return self.squashed_px, self.squashed_px
        return self._scaled(height), self._scaled(width)

    def of(self, image: Array) -> Array:
        """A camera image [height, width, 3], values in 0..1, as the networks see it; values in 0..1."""
        sized = resize(image, *self.size_of(*image.shape[:2]))
        if self.brightness is None:
            return sized
        gain = self.brightness / max(float(sized.mean()), self.brightness / MOST_GAIN)
        exposed: Array = sized * np.float32(gain)
        return exposed.clip(max=1)

    def _scaled(self, length: int) -> int:
        """The nearest whole length, halves up, as an exported graph computes it."""
        return max(1, int(length * self.scale + 0.5))
