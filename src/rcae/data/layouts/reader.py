"""Reader of one layout: its test and its reading."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from rcae.data.layouts.sample import Category


@dataclass(frozen=True)
class Reader:
    """Two functions of the folder of a category."""

    fits: Callable[[Path], bool]
    """Function that tells by files and folders whether the layout is this one; it opens no image."""
    read: Callable[[Path], Category]
    """Function that lists the images and masks, see `category_of`."""
