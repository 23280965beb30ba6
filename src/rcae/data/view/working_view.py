"""View of an image for the networks: its size, its exposure, and the crop to its part."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Annotated, Literal, Self

import numpy as np
from pydantic import Field, PositiveInt

from rcae.base.arrays import Array
from rcae.data.image_files import ImageContent
from rcae.data.images import read_image, resize
from rcae.data.usual_image import UsualImage
from rcae.data.view.part_frame import PartFrame

if TYPE_CHECKING:
    from rcae.data.view.part_pose import Pose

UpToOne = Annotated[float, Field(gt=0, le=1)]

MOST_GAIN = 4.0
"""Largest brightening factor; a nearly black image holds only noise."""
LEAST_BRIGHTNESS = 1 / 255
"""Least mean brightness that images are scaled to, even if the training images are black."""


@dataclass(frozen=True)
class WorkingView:
    """Preprocessing rule for all images of a model.

    `scale` is working pixels per camera pixel. It is the same for every image (our choice), so that
    texture keeps its size even where images differ in size.
    `squashed_px`, if set, replaces it by a square of that side.
    `brightness` is the mean that every image is scaled to. Values are clipped at 1, as by a camera.
    None keeps the exposure.
    `frame` is cut around the part in the result; None keeps the whole image.
    `usual` says what the training images had in common, the value of white among it.
    """

    scale: UpToOne
    squashed_px: PositiveInt | None = None
    brightness: UpToOne | None = None
    frame: PartFrame | None = None
    usual: UsualImage | None = None

    @classmethod
    def fit(
        cls,
        sizes_px: Iterable[tuple[int, int]],
        size_px: int,
        how: Literal["keep_aspect", "squash"],
    ) -> Self:
        """Return the rule that gives a typical image of these sizes the area of a square of `size_px`.

        Images are never enlarged, because a scale above 1 adds work and no detail.
        """
        area_px = median(height * width for height, width in sizes_px)
        scale = min(1.0, size_px / area_px**0.5)
        return cls(scale, size_px if how == "squash" else None)

    def exposed_like(self, images: Iterable[Array]) -> Self:
        """Return this rule with `brightness` set to the median of these images' mean brightness."""
        typical = median(float(image.mean()) for image in images)
        return replace(self, brightness=max(typical, LEAST_BRIGHTNESS))

    def framed_by(self, images: Iterable[Array]) -> Self:
        """Return this rule with the frame that fits these images, if nearly all show one part."""
        from rcae.data.view.part_finding import fit_frame  # torch takes a second to import

        return replace(self, frame=fit_frame([self.of(image) for image in images]))

    def camera_image(self, source: Path | ImageContent) -> Array:
        """Decode an image of the model's camera, [height, width, 3] in 0..1, at its own size.

        Raises:
            ImageError: see `rcae.data.images.read_image`.
        """
        return read_image(source, self.usual)

    @property
    def keeps_size(self) -> bool:
        """True if the networks see every image at its own size."""
        return self.scale == 1.0 and self.squashed_px is None

    @property
    def keeps_image(self) -> bool:
        """True if the networks see every image unchanged."""
        return self.keeps_size and self.brightness is None and self.frame is None

    def size_of(self, height: int, width: int) -> tuple[int, int]:
        """Return height and width of the whole image at working size, from its height and width."""
        if self.squashed_px is not None:
            return self.squashed_px, self.squashed_px
        return self._scaled(height), self._scaled(width)

    def seen_size_of(self, height: int, width: int) -> tuple[int, int]:
        """Return height and width of the networks' input, from the height and width of an image."""
        return self.size_of(height, width) if self.frame is None else self.frame.size_px

    def of(self, image: Array) -> Array:
        """Return the network input of a camera image [height, width, 3]; both have values in 0..1."""
        return self.see(image).image

    def see(self, image: Array) -> "Seen":
        """Return the network input of a camera image, with the way back to the whole image."""
        whole = self._exposed(resize(image, *self.size_of(*image.shape[:2])))
        if self.frame is None:
            return Seen(whole, whole)
        from rcae.data.view.part_pose import cut_array  # torch takes a second to import

        cut, pose = cut_array(self.frame, whole)
        return Seen(cut, whole, self.frame, pose)

    def _exposed(self, sized: Array) -> Array:
        if self.brightness is None:
            return sized
        gain = self.brightness / max(float(sized.mean()), self.brightness / MOST_GAIN)
        exposed: Array = sized * np.float32(gain)
        return exposed.clip(max=1)

    def _scaled(self, length: int) -> int:
        """Return the nearest integer length, halves up, as an exported graph computes it."""
        return max(1, int(length * self.scale + 0.5))


@dataclass(frozen=True)
class Seen:
    """One image as the networks see it."""

    image: Array
    """Network input [height, width, 3]."""
    whole: Array
    """Whole image at working size and exposure; equal to `image` if there is no frame."""
    frame: PartFrame | None = None
    pose: "Pose | None" = None

    def on_whole(self, drawn: Array, outside: Array | None = None) -> Array:
        """Put a map of `image`, [height, width, ...], into the pixels of `whole`.

        Args:
            drawn: a map of the size of `image`.
            outside: values outside the frame, shaped like the result. The default is the minimum of
                `drawn`, because nothing was judged there.
        """
        if self.frame is None or self.pose is None:
            return drawn
        from rcae.data.view.part_pose import put_array_back

        if outside is None:
            outside = np.full((*self.whole.shape[:2], *drawn.shape[2:]), drawn.min(), np.float32)
        return put_array_back(self.frame, drawn, self.pose, outside)
