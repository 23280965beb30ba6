"""The rectangle that is cut from an image around its part."""

from dataclasses import dataclass
from typing import Annotated

from pydantic import Field, PositiveInt

Grey = Annotated[float, Field(ge=0, le=1)]


@dataclass(frozen=True)
class PartFrame:
    """A rectangle that turns and moves with the part, or stands still where all parts lie (our addition).

    A part that lies in any direction has to be learnt in each of them, and most of the image is ground.
    Cut to the part and turned, all images show it alike. Where a holder does that already, the frame stands
    still: it would follow a part that lies wrong, and hide that it does.

    `ground` is the grey before which the part lies, and `contrast` how much it differs from it at
    least, both in 0..1. The frame reaches so many pixels of the working image from the part's centre of
    mass: back and forth along its axis, and to either side.

    `still_at_px` is the column and row which that centre is taken for in every image, and the axis then
    runs along the columns, from left to right; None where part and axis are found in each.
    """

    ground: Grey
    contrast: Grey
    back_px: PositiveInt
    forth_px: PositiveInt
    above_px: PositiveInt
    below_px: PositiveInt
    still_at_px: tuple[int, int] | None = None

    @property
    def size_px(self) -> tuple[int, int]:
        """Height and width."""
        return self.above_px + self.below_px, self.back_px + self.forth_px
