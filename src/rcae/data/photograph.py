"""One image as a model reads it: its pixels, and what is unusual about it."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from rcae.base.arrays import Array
from rcae.data.image_files import ImageContent, decode, read_header
from rcae.data.images import as_pixels, read_image, scaled
from rcae.data.usual_image import UsualImage


@dataclass(frozen=True)
class Photograph:
    """An image whose size and depth suit a model."""

    image: Array
    """Float32 RGB [height, width, 3] in 0..1; see `rcae.data.images.read_image`."""
    remarks: dict[str, str] = field(default_factory=dict)
    """Sentences on an unusual size ("size"), and on an assumed white level ("white"), by their kind."""
    again: Callable[[], Array] | None = field(default=None, repr=False)
    """Function that reads the image again; None where its pixels were given."""

    @property
    def reader(self) -> Callable[[], Array]:
        """Function that returns `image`, without holding the pixels of a file in memory."""
        return self.again or partial(np.asarray, self.image)

    @classmethod
    def read(
        cls,
        source: Path | ImageContent | NDArray[np.generic],
        usual: UsualImage | None,
        size_limit: float,
    ) -> Self:
        """Read a file or an array; the size of a file is checked before any pixel is decoded.

        Args:
            source: file, file content, or array as `rcae.data.images.as_pixels` takes it.
            usual: common properties of the training images; None compares nothing.
            size_limit: largest factor between its size and theirs.

        Raises:
            ImageError: the image cannot be read, or differs too much from the training images.
        """
        name = str(source) if isinstance(source, (Path, ImageContent)) else "the image"
        if isinstance(source, (Path, ImageContent)):
            header = read_header(source)
            on_size = _size_remark(usual, name, (header.height_px, header.width_px), size_limit)
            pixels = decode(source)
            again = partial(read_image, source, usual)
        else:
            again = None
            pixels = as_pixels(source, name)
            on_size = _size_remark(usual, name, pixels.values.shape, size_limit)
        image, on_white = scaled(pixels, name, usual)
        remarks = {"size": on_size, "white": on_white}
        return cls(image, {kind: remark for kind, remark in remarks.items() if remark}, again)


def _size_remark(
    usual: UsualImage | None, name: str, shape: tuple[int, ...], limit: float
) -> str | None:
    return None if usual is None else usual.size_remark(name, shape[0], shape[1], limit)
