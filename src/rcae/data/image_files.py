"""Rules for image files, and the decoding of their pixels in upright orientation."""

import stat
import struct
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError
from PIL.TiffImagePlugin import TiffImageFile

from rcae.base.errors import ImageError, ImageFormatError

JPEG_SUFFIXES = frozenset({".jpg", ".jpeg", ".jpe", ".jfif"})
IMAGE_SUFFIXES = JPEG_SUFFIXES | {
    ".bmp",
    ".jp2",
    ".mpo",
    ".pgm",
    ".png",
    ".ppm",
    ".tga",
    ".tif",
    ".tiff",
    ".webp",
}
"""Accepted suffixes in lower case; compare with `path.suffix.lower()`."""

MINIMUM_SIDE_PX = 16
"""Smallest side of an image; nothing smaller is a photograph of a part (our choice)."""

MAXIMUM_PIXELS = 89_478_485
"""Largest number of pixels, the limit of Pillow: 0.25 GiB of 8-bit RGB."""

KINDS_READ = "PNG, JPEG, BMP, TIFF, WebP, JPEG 2000, PGM, PPM or TGA image"
"""File kinds that `decode` reads, in words."""

_FORMATS = ("PNG", "JPEG", "BMP", "TIFF", "WEBP", "JPEG2000", "PPM")
_NAMED = {".tga": "TGA"}
"""Kinds without a signature at the start of the file: the suffix must say it."""

_KINDS = {
    "1": "1-bit",
    "L": "8-bit grey",
    "LA": "8-bit grey with alpha",
    "P": "palette",
    "PA": "palette with alpha",
    "RGB": "8-bit RGB",
    "RGBA": "8-bit RGB with alpha",
    "CMYK": "8-bit CMYK",
    "YCbCr": "8-bit YCbCr",
    "I": "integer grey",
    "I;16": "16-bit grey",
    "I;16B": "16-bit grey",
    "F": "float grey",
}
"""Supported Pillow modes, in words."""

_ORIENTATION_TAG = 0x0112
_SUBFILE_TAG = 0x00FE
_PHOTOMETRIC_TAG = 0x0106
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""Transposition that makes an image upright, for each EXIF orientation except 1."""

_DAMAGED = (
    OSError,
    SyntaxError,
    ValueError,
    TypeError,
    LookupError,
    ArithmeticError,
    MemoryError,
    EOFError,
    struct.error,
)
"""Exceptions that Pillow raises on a damaged file, depending on the place of the damage."""


@dataclass(frozen=True)
class ImageContent:
    """Content of an image file that is already in memory."""

    name: str
    """Name of the image in error messages."""
    content: bytes

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True)
class ImageHeader:
    """Header of an image file, read before any pixel is decoded."""

    height_px: int
    """Height after EXIF rotation."""
    width_px: int
    kind: str
    """Channels and bit depth in words, like "8-bit grey"."""
    is_turned: bool
    """True if EXIF data turns or mirrors the stored pixels."""


def read_header(source: Path | ImageContent) -> ImageHeader:
    """Read size and kind of an image or mask without decoding a pixel.

    EXIF data is used if it is stored before the pixels, as cameras write it.

    Raises:
        ImageError: the errors of `decode` that the header reveals.
    """
    with _opened(source) as image:
        width, height = image.size
        orientation = _orientation(image)
        if orientation >= 5:
            width, height = height, width
        return ImageHeader(height, width, _KINDS[image.mode], orientation in _TURNS)


def decode(source: Path | ImageContent, *, palette_indices: bool = False) -> NDArray[np.generic]:
    """Decode the pixels, upright by EXIF, in one of few shapes and types.

    Returns:
        [height, width] of uint8, uint16 or float32 (grey), or uint8 [height, width, 3 or 4] (RGB or
        RGBA). `palette_indices` makes a palette image give its indices instead of its colours.

    Raises:
        ImageFormatError: the file is no image of `KINDS_READ`.
        ImageError: the file is missing, not readable, damaged, holds several images, is outside the
            size rules, or has integers beyond 16 bit.
    """
    with _opened(source) as image:
        turn = _TURNS.get(_orientation(image))
        upright = image if turn is None else image.transpose(turn)
        if upright.mode == "I":
            return _black_is_zero(_as_uint16(np.asarray(upright), source), image)
        if upright.mode in ("I;16", "I;16B", "F"):
            return _black_is_zero(np.asarray(upright), image)
        if upright.mode == "P" and palette_indices:
            return np.asarray(upright)
        if image.format == "BMP":
            # The fourth byte of a 32-bit BMP is no alpha: cameras' tools leave it 0 (our choice).
            upright = upright.convert("L" if upright.mode in ("1", "L") else "RGB")
        if upright.has_transparency_data:
            return np.asarray(upright.convert("RGBA"))
        return np.asarray(upright.convert("L" if upright.mode in ("1", "L") else "RGB"))


def check_size(name: str, height: int, width: int) -> None:
    """Refuse images outside the size rules; `name` is the image's name in the error.

    Raises:
        ImageError: a side is below `MINIMUM_SIDE_PX`, or there are more pixels than `MAXIMUM_PIXELS`.
    """
    if min(height, width) < MINIMUM_SIDE_PX:
        raise ImageError(
            f"{name} is {width}x{height} px; each side needs at least {MINIMUM_SIDE_PX} px. "
            "Use a larger image or remove it."
        )
    if height * width > MAXIMUM_PIXELS:
        raise ImageError(f"{name} {_TOO_LARGE}")


_TOO_LARGE = (
    f"has more than {MAXIMUM_PIXELS / 1e6:.0f} megapixels, the most that is decoded; "
    "shrink it or cut it into parts."
)


@contextmanager
def _opened(source: Path | ImageContent) -> Iterator[Image.Image]:
    """Open a file and check its header; turn a failure inside the block into an ImageError."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow's warnings; this module checks what matters
            # Pillow gets a file object: it maps a TIFF given by name into memory and garbles a rotated one.
            named = [kind for end, kind in _NAMED.items() if str(source).lower().endswith(end)]
            with _open(source) as file, Image.open(file, formats=[*_FORMATS, *named]) as image:
                _check_header(source, image)
                yield image
    except UnidentifiedImageError as error:
        raise ImageFormatError(
            f"{source} is not a {KINDS_READ}, whatever its name; convert it or remove it."
        ) from error
    except Image.DecompressionBombError as error:
        raise ImageError(f"{source} {_TOO_LARGE}") from error
    except _DAMAGED as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise ImageError(
                f"{source} cannot be read ({error.strerror}); check that it is there, its links and "
                "its permissions."
            ) from error
        raise ImageError(
            f"{source} is damaged ({str(error) or type(error).__name__}); save it again from its "
            "source or remove it."
        ) from error


def _open(source: Path | ImageContent) -> BinaryIO:
    """Open a regular file that is not empty."""
    if isinstance(source, ImageContent):
        size = len(source.content)
    else:
        status = source.stat()
        size = status.st_size
        if not stat.S_ISREG(status.st_mode):
            raise ImageError(f"{source} is not a file; give the path of an image file.")
    if size == 0:
        raise ImageError(
            f"{source} is empty (0 bytes); save it again from its source or remove it."
        )
    return BytesIO(source.content) if isinstance(source, ImageContent) else source.open("rb")


def _check_header(source: Path | ImageContent, image: Image.Image) -> None:
    frames = _count_frames(image)
    if frames != 1:
        raise ImageError(f"{source} holds {frames} images; save each in a file of its own.")
    if image.mode not in _KINDS:
        raise ImageError(
            f"{source} has the colour mode {image.mode}, which is not read; save it as 8-bit RGB or "
            "grey."
        )
    check_size(str(source), image.height, image.width)


def _count_frames(image: Image.Image) -> int:
    """Count the images in a file, without the previews of a TIFF page and the other views of an MPO file."""
    frames: int = getattr(image, "n_frames", 1)
    if image.format == "MPO":
        return 1
    if not isinstance(image, TiffImageFile) or frames == 1:
        return frames
    previews = 0
    for frame in range(1, frames):
        image.seek(frame)
        previews += image.tag_v2.get(_SUBFILE_TAG, 0) & 1
    image.seek(0)
    return frames - previews


def _orientation(image: Image.Image) -> int:
    """Return the EXIF orientation that is still to be applied.

    Pillow itself rotates a TIFF when it loads it.
    """
    if image.format == "TIFF":
        return 1
    # `image.getexif()` of a PNG would decode the pixels to find EXIF data behind them.
    orientation = Image.Image.getexif(image).get(_ORIENTATION_TAG)
    return orientation if orientation in _TURNS else 1


def _black_is_zero(pixels: NDArray[np.generic], image: Image.Image) -> NDArray[np.generic]:
    """Invert deep grey values of a TIFF whose tag says that 0 is white; Pillow inverts 8-bit ones alone."""
    if not isinstance(image, TiffImageFile) or image.tag_v2.get(_PHOTOMETRIC_TAG) != 0:
        return pixels
    largest = 1 if pixels.dtype.kind == "f" else 65535
    inverted: NDArray[np.generic] = (largest - pixels).astype(pixels.dtype)
    return inverted


def _as_uint16(pixels: NDArray[np.generic], source: object) -> NDArray[np.uint16]:
    lowest, highest = int(pixels.min()), int(pixels.max())
    if lowest < 0 or highest > 65535:
        raise ImageError(
            f"{source} has integer values from {lowest} to {highest}; they must lie in 0..65535. "
            "Save it as 8-bit or 16-bit grey."
        )
    return pixels.astype(np.uint16)
