"""Arguments that functions take in more than one form."""

from collections.abc import Sequence
from pathlib import Path

Images = str | Path | Sequence[str | Path]
"""Files, folders or patterns of images: one, or several."""


def texts(images: Images) -> tuple[str, ...]:
    """Return the paths as texts, as the command line gives them."""
    return (str(images),) if isinstance(images, str | Path) else tuple(map(str, images))
