"""Images and masks as arrays: float RGB in 0..1, and booleans."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from rcae.base.arrays import Array, Mask
from rcae.base.errors import ImageError
from rcae.data.image_files import (
    JPEG_SUFFIXES,
    ImageContent,
    Scalar,
    check_size,
    decode,
    read_header,
)
from rcae.data.pixels import USUAL_WHITE, Pixels, least_white_level
from rcae.data.usual_image import UsualImage


def read_image(source: Path | ImageContent, usual: UsualImage | None = None) -> Array:
    """Decode one image: float32 RGB [height, width, 3] in 0..1, upright by its EXIF data.

    Grey is repeated in three channels. Values are divided by the value of white: 255 in 8 bits, what the
    file states in others, else what `usual` knows, else 65535.
    Values are never stretched per image, so that brightness keeps its meaning.
    Alpha is composited onto black, because colours under transparent pixels must not matter (our choice).

    Args:
        source: the file.
        usual: common properties of the training images of its model.

    Raises:
        ImageError: the file is missing, unreadable, damaged, or of another kind than
            `rcae.data.image_files.KINDS_READ`.
            The file holds several images, or is smaller than 16 px or larger than 89 megapixels.
            The values are negative, above 1 (float), or above the white level of `usual`.
    """
    return scaled(decode(source), str(source), usual)[0]


def read_mask(path: Path, *, indexed: bool = False) -> Mask:
    """Decode one mask: boolean [height, width], True where the defect is.

    A defect has at least half of its type's range (128 of 255) in any channel. A mask in which no pixel has
    holds class numbers, like 0 and 1: every value except 0 is a defect there. A JPEG is the exception, since
    its black is not exactly 0.

    Args:
        path: a mask of any kind that `read_image` reads.
        indexed: True if the values are class numbers whatever they are (VisA as published).

    Raises:
        ImageError: the errors of `read_image`.
    """
    pixels = decode(path, palette_indices=indexed)
    values = scaled(pixels, str(path))[0]
    brightest = values.max(axis=2)
    is_numbered = brightest.max() < 0.5 and path.suffix.lower() not in JPEG_SUFFIXES
    return np.asarray(brightest > 0 if indexed or is_numbered else brightest >= 0.5)


def image_size(source: Path | ImageContent) -> tuple[int, int]:
    """Read height and width in pixels after EXIF rotation, from the header alone.

    Raises:
        ImageError: the errors of `read_image` that the header reveals.
    """
    header = read_header(source)
    return header.height_px, header.width_px


def as_pixels(pixels: NDArray[np.generic], name: str) -> Pixels:
    """Check an array that a caller gives.

    Args:
        pixels: [height, width] grey, [height, width, 3] RGB or [height, width, 4] RGBA, of uint8, uint16,
            or floats in 0..1.
        name: name of the array in error messages.

    Raises:
        ImageError: the shape, type or size of `pixels` breaks the rules.
    """
    if pixels.ndim not in (2, 3) or pixels.shape[2:] not in ((), (3,), (4,)):
        raise ImageError(
            f"{name} has the shape {pixels.shape}; give [height, width], [height, width, 3] (RGB) "
            "or [height, width, 4] (RGBA)."
        )
    check_size(name, pixels.shape[0], pixels.shape[1])
    if pixels.dtype not in (np.uint8, np.uint16) and pixels.dtype.kind != "f":
        raise ImageError(
            f"{name} has the type {pixels.dtype}; give uint8, uint16, or floats in 0..1."
        )
    return Pixels(pixels, 255 if pixels.dtype == np.uint8 else None)


def scaled(pixels: Pixels, name: str, usual: UsualImage | None = None) -> tuple[Array, str | None]:
    """Scale decoded pixels to the format of `read_image`; a remark says so where white was assumed.

    Raises:
        ImageError: the values are negative, no numbers, or too large.
    """
    lowest, highest = float(pixels.values.min()), float(pixels.values.max())
    is_float = pixels.values.dtype.kind == "f"
    if not (lowest >= 0 and (highest <= 1 or not is_float)):  # also refuses NaN
        raise ImageError(
            f"{name} has values from {lowest:g} to {highest:g}; floats must lie in 0..1, and integers not "
            "below 0. Divide by the largest value the camera can give."
        )
    remark = None
    if is_float:
        white: float = 1
    elif usual is not None:
        white, remark = usual.white_of(pixels, name)
    else:
        white = pixels.white or max(USUAL_WHITE, least_white_level(highest) or highest)
    values = pixels.values.astype(np.float32) / np.float32(white)
    if highest > white:
        values = values.clip(max=1)
    if pixels.white_is_zero:
        values = 1 - values
    if values.ndim == 2:
        return np.repeat(values[..., None], 3, axis=2), remark
    return (values if values.shape[2] == 3 else values[..., :3] * values[..., 3:]), remark


def resize(image: Array, height: int, width: int) -> Array:
    """Resize bilinearly, with antialiasing when shrinking.

    An image that already has the size is returned itself, without a copy.

    Args:
        image: float32 [height, width] or [height, width, channel], of any range.
        height: new height in pixels.
        width: new width in pixels.
    """
    if image.shape[:2] == (height, width):
        return image
    resized = [
        np.asarray(Image.fromarray(plane).resize((width, height), Image.Resampling.BILINEAR))
        for plane in np.moveaxis(np.atleast_3d(image), 2, 0)
    ]
    return np.stack(resized, axis=2).reshape(height, width, *image.shape[2:])


def outermost(image: NDArray[Scalar]) -> NDArray[Scalar]:
    """Return the border pixels of an image [height, width, ...] as [pixel, ...]; corners occur twice."""
    return np.concatenate([image[0], image[-1], image[:, 0], image[:, -1]])
