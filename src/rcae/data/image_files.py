"""Rules for image files, and the decoding of their pixels in upright orientation."""

import os
import stat
import struct
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError
from PIL.ImageFile import ImageFile
from PIL.TiffImagePlugin import TiffImageFile

from rcae.base.errors import ImageError, ImageFormatError, MissingExtraError, UsageError
from rcae.base.extras import require
from rcae.data.deep_tiff import MOST_PAGES, SIGNATURES, DeepTiff, opened_deep
from rcae.data.pixels import USUAL_WHITE, Pixels

Scalar = TypeVar("Scalar", bound=np.generic)

JPEG_SUFFIXES = frozenset({".jpg", ".jpeg", ".jpe", ".jfif"})
IMAGE_SUFFIXES = JPEG_SUFFIXES | {
    ".bmp",
    ".heic",
    ".heif",
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
"""Largest number of pixels unless MEGAPIXELS is set, the limit of Pillow: 0.25 GiB of 8-bit RGB."""

MEGAPIXELS = "RCAE_MEGAPIXELS"
"""Environment variable with another limit, in megapixels; images need 12 bytes a pixel and more."""

KINDS_READ = "PNG, JPEG, BMP, TIFF, WebP, JPEG 2000, PGM, PPM, TGA or HEIC image"
"""File kinds that `decode` reads, in words."""

_FORMATS = ("PNG", "JPEG", "BMP", "TIFF", "WEBP", "JPEG2000", "PPM")
_NAMED = {".tga": "TGA"}
"""Kinds without a signature at the start of the file: the suffix must say it."""

_HEIF_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"mif1", b"msf1")
"""Brands that mark a HEIC file, behind its size and the word "ftyp"."""

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
    "I": "16-bit grey",
    "I;16": "16-bit grey",
    "I;16B": "16-bit grey",
}
"""Supported Pillow modes, in words."""
_DEEP_COLOUR = {
    "RGB;16B": "16-bit RGB",
    "RGBA;16B": "16-bit RGB with alpha",
    "LA;16B": "16-bit grey with alpha",
}
"""Forms of a PNG that Pillow would cut to 8 bits, in words."""
_FLAT = ("1-bit", "8-bit", "palette")
"""First words of kinds with at most 8 bits a channel."""

_ORIENTATION_TAG = 0x0112
_SUBFILE_TAG = 0x00FE
_TURNS: dict[int, Callable[[NDArray[Any]], NDArray[Any]]] = {
    2: np.fliplr,
    3: lambda values: np.rot90(values, 2),
    4: np.flipud,
    5: lambda values: values.swapaxes(0, 1),
    6: lambda values: np.rot90(values, 3),
    7: lambda values: np.rot90(values, 2).swapaxes(0, 1),
    8: np.rot90,
}
"""Turn that makes an image upright, for each EXIF orientation except 1."""

_DAMAGED = (
    OSError,
    SyntaxError,
    ValueError,
    TypeError,
    LookupError,
    ArithmeticError,
    MemoryError,
    EOFError,
    RuntimeError,
    struct.error,
)
"""Exceptions that decoders raise on a damaged file, depending on the place of the damage."""


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
    orientation: int = 1
    """EXIF orientation of the stored pixels, 1..8; 1 lies as stored."""

    @property
    def is_deep(self) -> bool:
        """True if a channel has more than 8 bits."""
        return not self.kind.startswith(_FLAT)


def read_header(source: Path | ImageContent) -> ImageHeader:
    """Read size and kind of an image or mask without decoding a pixel.

    EXIF data is used if it is stored before the pixels, as cameras write it.

    Raises:
        ImageError: the errors of `decode` that the header reveals.
    """
    with _opened(source) as image:
        orientation = _orientation(image)
        height, width = _size(image)
        if orientation >= 5:
            height, width = width, height
        kind = image.kind if isinstance(image, DeepTiff) else _kind(image)
        stored = _stored_orientation(image)
        return ImageHeader(height, width, kind, orientation in _TURNS, stored)


def decode(source: Path | ImageContent, *, palette_indices: bool = False) -> Pixels:
    """Decode the pixels, upright by EXIF, in one of few shapes and types.

    Returns:
        Values [height, width] (grey), [height, width, 3] (RGB) or uint8 [height, width, 4] (RGBA).
        `palette_indices` makes a palette image give its indices instead of its colours.

    Raises:
        ImageFormatError: the file is no image of `KINDS_READ`.
        ImageError: the file is missing, not readable, damaged, holds several images or negative values,
            or is outside the size rules.
    """
    with _opened(source) as image:
        orientation = _orientation(image)
        stored = (
            image.pixels()
            if isinstance(image, DeepTiff)
            else _stored(image, palette_indices=palette_indices)
        )
        return replace(stored, values=turned(stored.values, orientation))


def turned(values: NDArray[Scalar], orientation: int) -> NDArray[Scalar]:
    """Turn and mirror stored pixels [height, width, ...] upright, by their EXIF orientation."""
    turn = _TURNS.get(orientation, np.asarray)
    return np.ascontiguousarray(turn(values))


def _stored(image: ImageFile, *, palette_indices: bool) -> Pixels:
    """Decode what Pillow opened, not yet upright."""
    if _kind(image) in _DEEP_COLOUR.values():
        return Pixels(_deep_colour(image), None)
    if image.mode in ("I", "I;16", "I;16B"):
        # Pillow scales the values of PGM and JPEG 2000 to 16 bits, and leaves those of a PNG.
        return Pixels(np.asarray(image), None if image.format == "PNG" else USUAL_WHITE)
    if image.mode == "P" and palette_indices:
        return Pixels(np.asarray(image), 255)
    # The fourth byte of a 32-bit BMP is no alpha: cameras' tools leave it 0 (our choice).
    if image.has_transparency_data and image.format != "BMP":
        return Pixels(np.asarray(image.convert("RGBA")), 255)
    return Pixels(np.asarray(image.convert("L" if image.mode in ("1", "L") else "RGB")), 255)


def _deep_colour(image: ImageFile) -> NDArray[np.generic]:
    """Decode a 16-bit PNG with colours or alpha; alpha is composited onto black."""
    from imagecodecs import png_decode  # 0.3 s, needed for such files alone

    assert image.fp is not None, "the file is open"
    image.fp.seek(0)
    values = np.asarray(png_decode(image.fp.read()))
    if values.shape[2] in (2, 4):
        values = (values[..., :-1] * (values[..., -1:] / USUAL_WHITE)).astype(np.uint16)
    return values[..., 0] if values.shape[2] == 1 else values


def _kind(image: ImageFile) -> str:
    forms = (tile.args for tile in image.tile) if image.format == "PNG" else ()
    deep = next((_DEEP_COLOUR[form] for form in forms if form in _DEEP_COLOUR), None)
    return deep or _KINDS[image.mode]


def _size(image: ImageFile | DeepTiff) -> tuple[int, int]:
    """Return height and width as they are stored."""
    if isinstance(image, DeepTiff):
        return image.height_px, image.width_px
    return image.height, image.width


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
    if height * width > most_pixels():
        raise _too_large(name)


def most_pixels() -> int:
    """Return the largest number of pixels that is decoded: `MAXIMUM_PIXELS`, or what MEGAPIXELS says.

    Raises:
        UsageError: MEGAPIXELS is no positive number.
    """
    asked = os.environ.get(MEGAPIXELS)
    if asked is None:
        return MAXIMUM_PIXELS
    if not asked.isdecimal() or int(asked) == 0:
        raise UsageError(
            f"{MEGAPIXELS} is '{asked}'; set it to a number of megapixels like 200, or unset it."
        )
    return int(asked) * 1_000_000


def _too_large(name: str) -> ImageError:
    return ImageError(
        f"{name} has more than {most_pixels() / 1e6:.0f} megapixels, the most that is decoded; shrink it, "
        f"cut it into parts, or set {MEGAPIXELS}."
    )


@contextmanager
def _opened(source: Path | ImageContent) -> Iterator[ImageFile | DeepTiff]:
    """Open a file and check its header; turn a failure inside the block into an ImageError."""
    try:
        with _open(source) as file:
            starts = file.read(12)
            file.seek(0)
            if starts[:4] in SIGNATURES:
                with opened_deep(file, str(source)) as deep:
                    if deep is not None:
                        _check_header(source, deep)
                        yield deep
                        return
                file.seek(0)
            with warnings.catch_warnings():
                # Pillow's warnings; this module checks what matters.
                warnings.simplefilter("ignore")
                # Pillow gets a file object: it maps a TIFF given by name into memory and garbles a rotated
                # one.
                named = [kind for end, kind in _NAMED.items() if str(source).lower().endswith(end)]
                if starts[4:8] == b"ftyp" and starts[8:] in _HEIF_BRANDS:
                    named.append(_heif(source))
                with _most_pixels_opened(), Image.open(file, formats=[*_FORMATS, *named]) as image:
                    _check_header(source, image)
                    yield image
    except UnidentifiedImageError as error:
        raise ImageFormatError(
            f"{source} is not a {KINDS_READ}, whatever its name; convert it or remove it."
        ) from error
    except Image.DecompressionBombError as error:
        raise _too_large(str(source)) from error
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


@contextmanager
def _most_pixels_opened() -> Iterator[None]:
    """Let Pillow open as many pixels as this module does, while a file is opened."""
    before, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, most_pixels()
    try:
        yield
    finally:
        Image.MAX_IMAGE_PIXELS = before


def _heif(source: Path | ImageContent) -> str:
    """Return the name of the format for Pillow, once it can read it.

    Raises:
        ImageError: the package for HEIC is not installed.
    """
    try:
        require("pillow_heif", purpose=f"{source}, a HEIC image,")
    except MissingExtraError as error:
        raise ImageError(str(error)) from error
    from pillow_heif import register_heif_opener

    register_heif_opener()
    return "HEIF"


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


def _check_header(source: Path | ImageContent, image: ImageFile | DeepTiff) -> None:
    frames = image.frames if isinstance(image, DeepTiff) else _count_frames(image)
    if frames != 1:
        least = "at least " if frames == MOST_PAGES else ""
        raise ImageError(f"{source} holds {least}{frames} images; save each in a file of its own.")
    if not isinstance(image, DeepTiff) and image.mode not in _KINDS:
        raise ImageError(
            f"{source} has the colour mode {image.mode}, which is not read; save it as 8-bit RGB or "
            "grey."
        )
    check_size(str(source), *_size(image))


def _count_frames(image: Image.Image) -> int:
    """Count the images in a file, without the previews of a TIFF page and the other views of an MPO file."""
    frames: int = getattr(image, "n_frames", 1)
    if image.format in ("MPO", "HEIF"):
        return 1
    if not isinstance(image, TiffImageFile) or frames == 1:
        return frames
    previews = 0
    for frame in range(1, frames):
        image.seek(frame)
        previews += image.tag_v2.get(_SUBFILE_TAG, 0) & 1
    image.seek(0)
    return frames - previews


def _orientation(image: ImageFile | DeepTiff) -> int:
    """Return the EXIF orientation that is still to be applied.

    Pillow itself rotates a TIFF when it loads it.
    """
    is_done = not isinstance(image, DeepTiff) and image.format == "TIFF"
    return 1 if is_done else _stored_orientation(image)


def _stored_orientation(image: ImageFile | DeepTiff) -> int:
    """Return the EXIF orientation of the stored pixels, 1..8."""
    if isinstance(image, DeepTiff):
        return image.orientation if image.orientation in _TURNS else 1
    # `image.getexif()` of a PNG would decode the pixels to find EXIF data behind them.
    orientation = Image.Image.getexif(image).get(_ORIENTATION_TAG)
    return orientation if orientation in _TURNS else 1
