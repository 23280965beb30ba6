"""The size at which the networks see an image, and the way back to the image's own size."""

from collections.abc import Iterable
from dataclasses import dataclass
from statistics import median
from typing import Literal, Self

import numpy as np
from numpy.typing import NDArray

from rcae.data.images import resize

Array = NDArray[np.float32]


@dataclass(frozen=True)
class WorkingSize:
    """One rule for all images of a model.

    `scale` working pixels per camera pixel, the same for every image, so that texture keeps its size
    even where images differ in size (our choice); or, squashed, a square of `squashed_px`.
    """

    scale: float
    squashed_px: int | None = None

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

    @property
    def keeps_size(self) -> bool:
        """Whether every image is worked on as it is."""
        return self.scale == 1.0 and self.squashed_px is None

    def of(self, height: int, width: int) -> tuple[int, int]:
        """Height and width for the networks, of an image of this height and width."""
        if self.squashed_px is not None:
            return self.squashed_px, self.squashed_px
        return self._scaled(height), self._scaled(width)

    def shrink(self, image: Array) -> Array:
        """An image [height, width, 3] at its working size."""
        return resize(image, *self.of(*image.shape[:2]))

    def _scaled(self, length: int) -> int:
        """The nearest whole length, halves up, as an exported graph computes it."""
        return max(1, int(length * self.scale + 0.5))
