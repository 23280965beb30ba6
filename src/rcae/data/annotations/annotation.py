"""Annotation files of LabelMe, YOLO and COCO, told apart by their content."""

import json
import re
from functools import lru_cache
from pathlib import Path
from typing import Any

from rcae.base.arrays import Mask
from rcae.base.errors import DataError
from rcae.data.annotations.coco import CocoFile
from rcae.data.annotations.labelme import read_labelme
from rcae.data.annotations.yolo import looks_like_yolo, read_yolo

SUFFIXES = frozenset({".json", ".txt"})
"""Suffixes of annotation files in lower case."""
_HEAD_BYTES = 4096
_NO_SHAPES = re.compile(r'"shapes"\s*:\s*\[\s*\]')


def is_named_like_one(path: Path) -> bool:
    """Tell whether a file is named like an annotation."""
    return path.suffix.lower() in SUFFIXES


def is_of_one_image(path: Path) -> bool:
    """Tell whether a file holds the annotations of one image, and at least one: LabelMe or YOLO."""
    try:
        with path.open("rb") as file:
            head = file.read(_HEAD_BYTES).decode("utf-8-sig", "replace")
    except OSError:
        return False
    if path.suffix.lower() == ".txt":
        whole_lines = head if len(head) < _HEAD_BYTES else head[: head.rfind("\n")]
        return looks_like_yolo(whole_lines)
    return '"shapes"' in head and _NO_SHAPES.search(head) is None


def is_of_many_images(path: Path) -> bool:
    """Tell whether a file holds the annotations of many images: COCO."""
    is_json = path.suffix.lower() == ".json"
    return is_json and not is_of_one_image(path) and _coco(path) is not None


def entry_of(path: Path, image: Path) -> str | None:
    """Return the name that a COCO file has for an image; None without annotations of it."""
    coco = None if is_of_one_image(path) else _coco(path)
    entry = None if coco is None else coco.of(image)
    return entry.file_name if entry is not None and entry.segmentations else None


def read_annotation(path: Path, image: Path, size_px: tuple[int, int]) -> Mask:
    """Draw the annotations of one image: bool [height, width], True inside any of them.

    LabelMe and COCO give the size of the mask themselves.

    Args:
        path: the annotation file.
        image: the image; a COCO file finds it by its path.
        size_px: height and width of the image, for annotations that lack them.

    Raises:
        DataError: the file is unreadable, or has annotations that are no areas.
    """
    text = _text(path)
    try:
        if path.suffix.lower() == ".txt":
            return read_yolo(text, size_px)
        if is_of_one_image(path):
            return read_labelme(json.loads(text), size_px)
        coco = _coco(path)
        entry = None if coco is None else coco.of(image)
        if entry is None:
            raise ValueError("it has no such image")
        return entry.mask()
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise DataError(
            f"{path} cannot be read as the mask of {image} ({_reason(error)}); mend it, or export the "
            "mask as a picture."
        ) from error


def _reason(error: Exception) -> str:
    return f"{error} is missing" if isinstance(error, KeyError) else str(error)


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(
            f"{path} cannot be read as text ({error}); restore or remove it."
        ) from error


def _coco(path: Path) -> CocoFile | None:
    """Return the content of a COCO file; None for another one."""
    try:
        return _parsed_coco(path, path.stat().st_mtime_ns)
    except OSError as error:
        raise DataError(
            f"{path} cannot be read ({error.strerror}); restore or remove it."
        ) from error


@lru_cache(maxsize=64)
def _parsed_coco(path: Path, _changed_ns: int) -> CocoFile | None:
    try:
        content: Any = json.loads(_text(path))
        return CocoFile(content)
    except (DataError, ValueError, KeyError, TypeError, AttributeError):
        return None
