"""How the networks see an image: at which size and exposure, and cut to its part."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from statistics import median
from typing import TYPE_CHECKING, Annotated, Literal, Self

import numpy as np
from pydantic import Field, PositiveInt

from rcae.base.arrays import Array
from rcae.data.images import resize
from rcae.data.view.part_frame import PartFrame

if TYPE_CHECKING:
    from rcae.data.view.part_pose import Pose

UpToOne = Annotated[float, Field(gt=0, le=1)]

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

    `frame` is cut around the part in what this gives; None leaves all of it.
    """

    scale: UpToOne
    squashed_px: PositiveInt | None = None
    brightness: UpToOne | None = None
    frame: PartFrame | None = None

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

    def framed_by(self, images: Iterable[Array]) -> Self:
        """This rule, which also cuts every image to its part where all of these show one."""
        from rcae.data.view.part_finding import fit_frame  # torch takes a second to import

        return replace(self, frame=fit_frame([self.of(image) for image in images]))

    @property
    def keeps_size(self) -> bool:
        """Whether the networks see every image at its own size."""
        return self.scale == 1.0 and self.squashed_px is None

    @property
    def keeps_image(self) -> bool:
        """Whether the networks see every image as it is."""
        return self.keeps_size and self.brightness is None and self.frame is None

    def size_of(self, height: int, width: int) -> tuple[int, int]:
        """Height and width of the whole image at working size, of an image of this height and width."""
        if self.squashed_px is not None:
            return self.squashed_px, self.squashed_px
        return self._scaled(height), self._scaled(width)

    def seen_size_of(self, height: int, width: int) -> tuple[int, int]:
        """Height and width for the networks, of an image of this height and width."""
        return self.size_of(height, width) if self.frame is None else self.frame.size_px

    def of(self, image: Array) -> Array:
        """A camera image [height, width, 3], values in 0..1, as the networks see it; values in 0..1."""
        return self.see(image).image

    def see(self, image: Array) -> "Seen":
        """As `of`, with the way back."""
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
        """The nearest whole length, halves up, as an exported graph computes it."""
        return max(1, int(length * self.scale + 0.5))


@dataclass(frozen=True)
class Seen:
    """One image as the networks see it."""

    image: Array
    """[height, width, 3] as the networks see it."""
    whole: Array
    """The whole image at working size and exposure; the same where there is no frame."""
    frame: PartFrame | None = None
    pose: "Pose | None" = None

    def on_whole(self, drawn: Array, outside: Array | None = None) -> Array:
        """What was drawn of `image`, [height, width, ...], in the pixels of `whole`.

        Args:
            drawn: of the size of `image`.
            outside: what stands where the frame does not reach, shaped like the result; unless given, the
                least that was drawn, as nothing was judged there.
        """
        if self.frame is None or self.pose is None:
            return drawn
        from rcae.data.view.part_pose import put_array_back

        if outside is None:
            outside = np.full((*self.whole.shape[:2], *drawn.shape[2:]), drawn.min(), np.float32)
        return put_array_back(self.frame, drawn, self.pose, outside)
