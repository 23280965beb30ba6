"""The rectangle that is cut from an image around its part."""

from dataclasses import dataclass


@dataclass(frozen=True)
class PartFrame:
    """A rectangle that turns and moves with the part (our addition).

    A part that lies in any direction has to be learnt in each of them, and most of the image is ground.
    Cut to the part and turned, all images show it alike.

    `ground` is the grey before which the part lies, and `contrast` how much it differs from it at
    least, both in 0..1. The frame reaches so many pixels of the working image from the part's centre of
    mass: back and forth along its axis, and to either side.
    """

    ground: float
    contrast: float
    back_px: int
    forth_px: int
    above_px: int
    below_px: int

    @property
    def size_px(self) -> tuple[int, int]:
        """Height and width."""
        return self.above_px + self.below_px, self.back_px + self.forth_px
