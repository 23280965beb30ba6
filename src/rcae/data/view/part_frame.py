"""Rectangle that is cut from an image around its part."""

from dataclasses import dataclass
from typing import Annotated

from pydantic import Field, PositiveInt

Grey = Annotated[float, Field(ge=0, le=1)]


@dataclass(frozen=True)
class PartFrame:
    """A rectangle that follows the part, or is fixed where all parts lie (our addition).

    The crop rotates the part, so that all images show it in one pose.
    The networks then need not learn each direction, and the crop leaves out most of the background.
    The frame is fixed where a holder already aligns the parts.
    A frame that follows a misplaced part would hide the misplacement.

    `ground` is the grey of the background, and `contrast` the least difference of the part from it.
    Both are in 0..1.
    The four lengths count pixels of the working image from the part's centre of mass.
    `back_px` and `forth_px` lie along the part's axis, `above_px` and `below_px` across it.

    `still_at_px` is the (column, row) of that centre for a fixed frame, whose axis points right.
    It is None if centre and axis are found in each image.
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
        """Height and width of the frame in pixels."""
        return self.above_px + self.below_px, self.back_px + self.forth_px
