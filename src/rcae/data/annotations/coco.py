"""Annotations of many images in one file of COCO."""

import unicodedata
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from rcae.base.arrays import Mask
from rcae.data.annotations.polygons import draw, pairs


@dataclass(frozen=True)
class CocoImage:
    """One image of a COCO file, with all its annotations."""

    file_name: str
    size_px: tuple[int, int]
    """(height, width)."""
    segmentations: tuple[Any, ...]
    """Polygons, or run lengths, as the file has them."""

    def mask(self) -> Mask:
        """Draw all annotations: bool [height, width].

        Raises:
            ValueError, KeyError, TypeError: an annotation has no segmentation, or another format.
        """
        marked = np.zeros(self.size_px, np.bool_)
        for segmentation in self.segmentations:
            marked |= _drawn(segmentation, self.size_px)
        return marked


class CocoFile:
    """The images of a COCO file, found by the path of an image."""

    def __init__(self, content: Mapping[str, Any]) -> None:
        """Take the content of a file.

        Raises:
            KeyError, TypeError: it is not COCO's.
        """
        drawn: dict[Any, list[Any]] = defaultdict(list)
        for annotation in content["annotations"]:
            drawn[annotation["image_id"]].append(annotation.get("segmentation"))
        self._by_name: dict[str, list[CocoImage]] = defaultdict(list)
        for image in content["images"]:
            size_px = image["height"], image["width"]
            entry = CocoImage(image["file_name"], size_px, tuple(drawn[image["id"]]))
            self._by_name[_parts(entry.file_name)[0]].append(entry)

    def of(self, image: Path) -> CocoImage | None:
        """Return the entry of an image: that of its name, and among several that of its folders."""
        wanted = _parts(image.as_posix())

        def parts_in_common(entry: CocoImage) -> int:
            both = zip(wanted, _parts(entry.file_name), strict=False)
            return len(list(takewhile(lambda pair: pair[0] == pair[1], both)))

        return max(self._by_name.get(wanted[0], ()), key=parts_in_common, default=None)


def _parts(name: str) -> list[str]:
    """Return the name of an image without its suffix, then its folders from the inside out."""
    path = PurePosixPath(unicodedata.normalize("NFC", name.replace("\\", "/")))
    return [path.stem, *path.parts[-2::-1]]


def _drawn(segmentation: Any, size_px: tuple[int, int]) -> Mask:
    if not segmentation:
        raise ValueError("an annotation is a box without a segmentation; a mask needs polygons")
    if isinstance(segmentation, list):
        return draw([pairs(polygon) for polygon in segmentation], size_px)
    counts, size = segmentation["counts"], tuple(segmentation["size"])
    runs = _run_lengths(counts) if isinstance(counts, str) else counts
    return np.repeat(np.arange(len(runs)) % 2 == 1, runs).reshape(size, order="F")


def _run_lengths(text: str) -> list[int]:
    """Return the run lengths of COCO's compressed form.

    Each character has 5 bits of a number, the lowest first, and a sixth that says whether more follow. Each
    number but the first three is the difference from the one before the last.
    """
    runs: list[int] = []
    value = bits = 0
    for character in text:
        code = ord(character) - 48
        value |= (code & 31) << bits
        bits += 5
        if code & 32:
            continue
        if code & 16:  # negative
            value -= 1 << bits
        runs.append(value + (runs[-2] if len(runs) > 2 else 0))
        value = bits = 0
    return runs
