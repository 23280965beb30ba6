"""The good images of a run: kept in memory at working size, and cut into random windows."""

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from rcae.base.arrays import Array
from rcae.data.image_files import Scalar
from rcae.data.images import image_size, outermost
from rcae.data.view.working_view import WorkingView

MOST_IMAGES = 48
"""Largest number of images that the colour at the edge is taken from."""


class TrainingSet:
    """Windows of good images, drawn by step number alone, so that any step can be drawn again.

    Images are decoded once and kept as float32 at working size until `memory_limit_mib` is used up.
    Further ones are decoded each time they are drawn.

    Args:
        paths: the image files, at least one.
        working_view: rule by which the networks see them.
        memory_limit_mib: memory for decoded images, in MiB; 0 keeps none.
    """

    def __init__(
        self, paths: Sequence[Path], working_view: WorkingView, *, memory_limit_mib: int = 2048
    ) -> None:
        self.paths = tuple(paths)
        self._working_view = working_view
        self._free_bytes = memory_limit_mib * 2**20
        self._kept: dict[int, Array] = {}

    def __len__(self) -> int:
        return len(self.paths)

    def image(self, index: int) -> Array:
        """Return one image at working size, [height, width, 3], float32, 0..1.

        Raises:
            ImageError: the file cannot be decoded.
        """
        if index in self._kept:
            return self._kept[index]
        image = self._working_view.of(self._working_view.camera_image(self.paths[index]))
        if image.nbytes <= self._free_bytes:
            self._free_bytes -= image.nbytes
            self._kept[index] = image
        return image

    @property
    def in_one_pose(self) -> bool:
        """True where every image is cut to its part, which then lies alike in all of them."""
        return self._working_view.frame is not None

    @cached_property
    def largest_side_px(self) -> int:
        """The longest side, in px, that any of the images has at working size."""
        sizes_px = (self._working_view.seen_size_of(*image_size(path)) for path in self.paths)
        return max(max(size_px) for size_px in sizes_px)

    @cached_property
    def edge_colour(self) -> Array:
        """The mean colour of the outermost pixels of the first images, [3], float32, 0..1."""
        edges = [outermost(self.image(index)) for index in range(min(len(self), MOST_IMAGES))]
        colours = [pixels.mean(axis=0) for pixels in edges]
        mean: Array = np.mean(colours, axis=0, dtype=np.float32)
        return mean

    def window(self, index: int, side_px: int, multiple_px: int, random: Generator) -> Array:
        """Return the part of an image within a random square window.

        The window lies on the image as prediction sees it, extended below and on the right. The extension
        itself is left to `extended`, so that anomalies can be painted before it. Positions reach half a
        window beyond and are moved back. The outermost pixels would otherwise hardly ever be seen, and
        look anomalous in every image.

        Args:
            index: place of the image, from 0.
            side_px: side of the window.
            multiple_px: prediction extends height and width to multiples of it.
            random: draws the position.

        Returns:
            [up to side_px, up to side_px, 3], float32, 0..1; a view of the image.

        Raises:
            ImageError: the file cannot be decoded.
        """
        image = self.image(index)
        top, left = (
            _position(length + -length % multiple_px, length, side_px, random)
            for length in image.shape[:2]
        )
        return image[top : top + side_px, left : left + side_px]

    def order(self, first: int, count: int, seed: Sequence[int]) -> list[int]:
        """`count` image indices from position `first` of an endless series of epochs, shuffled by `seed`."""
        size = len(self)
        epochs = range(first // size, (first + count - 1) // size + 1)
        shuffled = [i for e in epochs for i in np.random.default_rng([*seed, e]).permutation(size)]
        start = first - epochs.start * size
        return [int(index) for index in shuffled[start : start + count]]


def extended(window: NDArray[Scalar], side_px: int) -> NDArray[Scalar]:
    """Return a window or its mask, its lower and right edges repeated until it is large enough.

    Args:
        window: [height, width] or [height, width, 3], neither side longer than `side_px`.
        side_px: side of the result.

    Returns:
        [side_px, side_px] or [side_px, side_px, 3], same dtype.
    """
    missing = [(0, side_px - length) for length in window.shape[:2]]
    return np.pad(window, (*missing, *[(0, 0)] * (window.ndim - 2)), mode="edge")


def _position(extended_px: int, length_px: int, side_px: int, random: Generator) -> int:
    """First row or column of a window; at least one pixel of it is the image's own."""
    last = min(max(extended_px - side_px, 0), length_px - 1)
    drawn = int(random.integers(-(side_px // 2), last + side_px // 2 + 1))
    return min(max(drawn, 0), last)
