"""View of the models of anomalib: images squashed, as is their default, or our working view."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from rcae.base.arrays import Array
from rcae.data.images import image_size, resize
from rcae.data.view.working_view import WorkingView
from rcae.study.request import View
from rcae.training.training_data import GoodParts

SIDE_PX = 256
"""Side of the square that images are squashed to, as anomalib does by default."""
MULTIPLE_PX = 32
"""Height and width of a canvas are multiples of it: all peers halve images up to five times."""

OnImage = Callable[[Array], Array]
"""Brings a map of what the peer saw back to the image, at any scale."""


class PeerView(Protocol):
    """View of a peer, in which all images have one size."""

    @property
    def size_px(self) -> tuple[int, int]:
        """Height and width of what it sees."""

    def see(self, pixels: Array) -> tuple[Array, OnImage]:
        """Return what the peer sees of an image [height, width, 3], and the way back for its map."""


class SquashedView:
    """Every image is squashed to one square, whatever its shape."""

    size_px = (SIDE_PX, SIDE_PX)

    def see(self, pixels: Array) -> tuple[Array, OnImage]:
        """See `PeerView.see`."""
        return resize(pixels, *self.size_px), lambda drawn: drawn


@dataclass(frozen=True)
class OurView:
    """Our scale, exposure and frame; the lower and right edges extend every image to one canvas.

    An image that is larger than the canvas is reduced to it.
    """

    working_view: WorkingView
    size_px: tuple[int, int]

    def see(self, pixels: Array) -> tuple[Array, OnImage]:
        """See `PeerView.see`."""
        seen = self.working_view.see(pixels)
        size_px = (seen.image.shape[0], seen.image.shape[1])
        share = min(1.0, *(most / side for most, side in zip(self.size_px, size_px, strict=True)))
        height, width = (max(1, int(side * share)) for side in size_px)
        missing = [(0, self.size_px[0] - height), (0, self.size_px[1] - width), (0, 0)]
        canvas = np.pad(resize(seen.image, height, width), missing, mode="edge")
        return canvas, lambda drawn: seen.on_whole(resize(drawn[:height, :width], *size_px))


def view_of(parts: GoodParts, view: View) -> PeerView:
    """Return the view of a peer; our canvas takes every training image as it is."""
    if view == "theirs":
        return SquashedView()
    sizes_px = [parts.working_view.seen_size_of(*image_size(path)) for path in parts.training.paths]
    height, width = (max(sides) for sides in zip(*sizes_px, strict=True))
    return OurView(
        parts.working_view, (height + -height % MULTIPLE_PX, width + -width % MULTIPLE_PX)
    )
