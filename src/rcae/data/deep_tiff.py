"""TIFF files with more than 8 bits a channel, which Pillow would cut down or refuse."""

import logging
import math
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from itertools import islice
from typing import TYPE_CHECKING, BinaryIO

import numpy as np
from numpy.typing import NDArray

from rcae.base.errors import ImageError
from rcae.data.pixels import WHITE_LEVELS, Pixels

if TYPE_CHECKING:
    from tifffile import TiffFile, TiffPage

SIGNATURES = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
"""First bytes of a TIFF or BigTIFF file."""

MOST_PAGES = 8
"""Pages that are looked at, to count the images in a file."""

_GREY = (0, 1)
_COLOUR = 2
_WHITE_IS_ZERO = 0
_FLOAT = 3
_ALPHA = 2
"""Extra sample that is alpha which the colours are not yet multiplied by."""
_MAXIMUM_TAGS = (50717, 281, 341)
"""Tags WhiteLevel (DNG), MaxSampleValue and SMaxSampleValue."""


@contextmanager
def opened_deep(file: BinaryIO, name: str) -> Iterator["DeepTiff | None"]:
    """Open a TIFF whose first page has more than 8 bits a channel, or floats; give None for any other.

    Raises:
        ImageError: the file is damaged.
    """
    from tifffile import TiffFile  # 0.15 s, needed for TIFF files alone

    _silence()
    try:
        with TiffFile(file) as tiff:
            page = tiff.pages[0].aspage()
            is_deep = page.bitspersample > 8 or page.sampleformat == _FLOAT
            yield DeepTiff(tiff, page, name) if is_deep else None
    except (ImageError, OSError):
        raise
    except Exception as error:  # tifffile and its codecs raise whatever the damage leads to
        raise ImageError(
            f"{name} is damaged ({str(error) or type(error).__name__}); save it again from its source or "
            "remove it."
        ) from error


@cache
def _silence() -> None:
    """Keep what tifffile logs off the terminal; done once, for handlers add up."""
    logging.getLogger("tifffile").addHandler(logging.NullHandler())


class DeepTiff:
    """One deep TIFF, whose header is read."""

    def __init__(self, tiff: "TiffFile", page: "TiffPage", name: str) -> None:
        self._page = page
        self._name = name
        self.height_px: int = page.imagelength
        self.width_px: int = page.imagewidth
        pages = islice(tiff.pages, MOST_PAGES)  # a damaged file may chain pages without end
        self.frames = sum(not other.aspage().subfiletype & 1 for other in pages)
        """Number of pages without previews, at most `MOST_PAGES`."""
        self.orientation: int = page.tags.valueof(274, 1)
        """EXIF orientation, 1 to 8."""

    @property
    def kind(self) -> str:
        """Channels and depth in words, like "12-bit grey".

        Raises:
            ImageError: the colour space or the number of channels is not read.
        """
        page, channels = self._page, self._page.samplesperpixel
        is_grey = page.photometric in _GREY and channels - len(page.extrasamples) == 1
        is_colour = page.photometric == _COLOUR and channels - len(page.extrasamples) == 3
        if page.dtype is None or page.dtype.kind not in "uif" or not (is_grey or is_colour):
            space = getattr(page.photometric, "name", page.photometric)
            raise ImageError(
                f"{self._name} has {channels} channels of the colour space {space}, in "
                f"{page.bitspersample} bits each, which is not read; save it as grey or RGB."
            )
        depth = f"{page.bitspersample}-bit"
        number = {"u": "", "i": " signed", "f": " float"}[page.dtype.kind]
        return f"{depth}{number} {'grey' if is_grey else 'RGB'}"

    def pixels(self) -> Pixels:
        """Decode the first page, as it is stored.

        Raises:
            ImageError: the file is cut short, holds negative values, or is of a kind that is not read.
        """
        page = self._page
        _ = self.kind  # refuses what is not read
        self._require_complete()
        stored = page.asarray()
        values = np.moveaxis(stored, 0, -1) if page.axes == "SYX" else stored
        values = values.reshape(self.height_px, self.width_px, page.samplesperpixel)
        if values.dtype.kind == "i" and values.min() < 0:
            raise ImageError(
                f"{self._name} has values from {values.min()} to {values.max()}; an image has no negative "
                "values. Save it with black as 0."
            )
        return Pixels(self._coloured(values), self._white, page.photometric == _WHITE_IS_ZERO)

    @property
    def _white(self) -> int | None:
        page = self._page
        if page.dtype is not None and page.dtype.kind == "f":
            return 1
        if page.bitspersample not in (16, 24, 32, 64):
            return (1 << page.bitspersample) - 1
        # Any other value is the largest of this image, and no white level.
        stated = {int(np.ravel(page.tags.valueof(tag, 0))[0]) for tag in _MAXIMUM_TAGS}
        return next((level for level in WHITE_LEVELS if level in stated), None)

    def _coloured(self, values: NDArray[np.generic]) -> NDArray[np.generic]:
        """Return grey or RGB without further channels, after alpha is applied where it hides anything."""
        colours = values.shape[2] - len(self._page.extrasamples)
        seen = values[..., :colours]
        if self._page.extrasamples[:1] == (_ALPHA,) and np.ptp(values[..., colours]) > 0:
            alpha = values[..., colours:][..., :1]
            seen = (seen * (alpha / alpha.max())).astype(values.dtype)
        return seen[..., 0] if colours == 1 else seen

    def _require_complete(self) -> None:
        page = self._page
        size = page.parent.filehandle.size
        segments = zip(page.dataoffsets, page.databytecounts, strict=True)
        is_whole = len(page.dataoffsets) == math.prod(page.chunked)
        if not is_whole or any(not n or at + n > size for at, n in segments):
            raise ImageError(
                f"{self._name} is damaged (pixels are missing at its end); save it again from its source "
                "or remove it."
            )
