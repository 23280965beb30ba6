"""Masks of one image, read from pictures or annotations and brought to the way that their image lies."""

from dataclasses import dataclass
from pathlib import Path

from rcae.base.arrays import Mask
from rcae.data.annotations.annotation import is_named_like_one, read_annotation
from rcae.data.image_files import read_header, turned
from rcae.data.images import image_size, read_mask


@dataclass(frozen=True)
class MaskReading:
    """Properties of masks that their files do not tell."""

    indexed: bool = False
    """True if a mask holds class numbers; see `read_mask`."""
    inverted: bool = False
    """True if a mask that is a picture is white where the part is good."""
    unturned: bool = False
    """True if a mask was drawn on the pixels of its image as they are stored, before EXIF turns them."""

    def read(self, mask: Path, image: Path) -> Mask:
        """Read a mask of an image: bool [height, width], True where it marks a defect.

        Raises:
            DataError, ImageError: a file is unreadable, see `read_mask` and `read_annotation`.
        """
        if is_named_like_one(mask):
            size_px = stored_size(image) if self.unturned else image_size(image)
            marked = read_annotation(mask, image, size_px)
            is_upright = not self.unturned
        else:
            marked = read_mask(mask, indexed=self.indexed) ^ self.inverted
            is_upright = not self.unturned or read_header(mask).is_turned
        return marked if is_upright else turned(marked, read_header(image).orientation)


AS_DRAWN = MaskReading()
"""Reading of masks that are white where the defect is, and lie as their image."""


def stored_size(image: Path) -> tuple[int, int]:
    """Return height and width in pixels as they are stored, before EXIF turns them.

    Raises:
        ImageError: the file is unreadable.
    """
    header = read_header(image)
    size = header.height_px, header.width_px
    return size[::-1] if header.orientation >= 5 else size
