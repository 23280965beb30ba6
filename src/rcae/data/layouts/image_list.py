"""Lists of images with label, split and mask: CSV, JSON and JSON lines."""

import csv
import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rcae.base.errors import DataError
from rcae.base.names import meant
from rcae.data.folders import absolute
from rcae.data.layouts.held_out import hold_out
from rcae.data.layouts.sample import (
    GOOD,
    Category,
    Layout,
    Sample,
    Split,
    category_of,
    good_samples,
)

SUFFIXES = frozenset({".csv", ".json", ".jsonl", ".tsv"})
"""Suffixes of lists in lower case."""
_IMAGE = (
    "image_path",
    "img_path",
    "image",
    "path",
    "filename",
    "file_name",
    "image_filepath",
    "file",
)
_MASK = ("mask_path", "mask", "maskname", "lbl_image_filepath")
_SPLIT = ("split", "set", "subset")
_LABEL = (
    *("defect_type", "anomaly_class", "specie_name", "label_name", "label"),
    *("label_index", "anomaly", "is_defective", "class"),
)
"""Names of columns and keys, the preferred one first."""
_GOOD_LABELS = frozenset({"good", "ok", "normal", "normal_test", "0", "0.0", "false"})
_BARE_LABELS = frozenset({"1", "1.0", "true"})
"""Labels of defective images that name no type."""
_DEFECT = "defect"
_SPLITS: Mapping[str, Split | None] = {
    "train": "train",
    "test": "test",
    "val": None,
    "valid": None,
    "validation": None,
}
"""Split of an image by its name in a list; None is left out."""


@dataclass(frozen=True)
class _Row:
    """One image of a list."""

    image: Path
    defect_type: str
    split: str | None
    """Name of the split in lower case; None where the list has none."""
    mask: Path | None


def is_image_list(path: Path) -> bool:
    """Tell whether a path is a file that may list images."""
    return path.is_file() and path.suffix.lower() in SUFFIXES


def read_image_list(file: Path, base: Path | None = None, layout: Layout = "list") -> Category:
    """Read a list; its columns or keys are the names in this module.

    Args:
        file: the list.
        base: folder that the paths in it start from; None is the folder of the list.
        layout: name of the layout.

    Raises:
        DataError: the list is unreadable, lacks a column, or names a file that does not exist.
    """
    folder = file.parent if base is None else base
    rows = [_row(fields, folder, place) for place, fields in _fields(file)]
    if not rows:
        raise DataError(f"{file} lists no image; give it a line for each.")
    seen: set[Path] = set()
    for row in rows:
        if row.image in seen:
            raise DataError(f"{file} names {row.image} twice; remove one of the lines.")
        seen.add(row.image)
    samples, notes = _samples(rows)
    files = [path for row in rows for path in (row.image, row.mask) if path is not None]
    return category_of(common_root(folder, files), layout, samples, notes=notes)


def common_root(root: Path, files: Iterable[Path]) -> Path:
    """Return the absolute path of a folder that holds all files: the given one, or one above it.

    Args:
        root: the folder.
        files: absolute paths.

    Raises:
        DataError: the files have no folder in common, since they lie on different drives.
    """
    place = absolute(root)
    outside = [str(path) for path in files if not path.is_relative_to(place)]
    try:
        return Path(os.path.commonpath([str(place), *outside]))
    except ValueError as error:
        raise DataError(
            f"{outside[0]} lies on another drive than {root}; move it there."
        ) from error


def _samples(rows: Sequence[_Row]) -> tuple[list[Sample], list[str]]:
    notes = []
    undecided = [row.image for row in rows if row.split is None and row.defect_type == GOOD]
    samples = [
        Sample(
            row.image,
            split,
            row.defect_type,
            (row.mask,) if row.mask is not None and row.defect_type != GOOD else (),
        )
        for row in rows
        if row.image not in set(undecided)
        for split in (_SPLITS["test"] if row.split is None else _SPLITS[row.split],)
        if split is not None
    ]
    left_out = len(rows) - len(samples) - len(undecided)
    if left_out:
        notes.append(f"Images of the validation split are left out: {left_out}.")
    is_tested = {sample.is_defective for sample in samples if sample.split == "test"}
    if is_tested == {True} and undecided:
        undecided, test, note = hold_out(sorted(undecided), "the list has no split")
        notes.append(note)
        samples += good_samples(test, "test")
    return samples + good_samples(undecided, "train"), notes


def _row(fields: Mapping[str, Any], folder: Path, place: str) -> _Row:
    image, mask = _text(fields, _IMAGE), _text(fields, _MASK)
    label, split = _text(fields, _LABEL), _text(fields, _SPLIT)
    if not image or not label:
        missing, names = ("image", _IMAGE) if not image else ("label", _LABEL)
        others = [field for field in fields if field not in (*_IMAGE, *_MASK, *_SPLIT, *_LABEL)]
        near = next(filter(None, (meant(field, names) for field in others)), "")
        raise DataError(f"{place} has no {missing}; give one in a column '{names[0]}'.{near}")
    kind = _defect_type(label)
    name = None if split is None else split.casefold()
    if name is None and label.casefold() == "normal_test":
        name = "test"
    if name is not None and name not in _SPLITS:
        raise DataError(
            f"{place}: the split is '{split}'; it must be one of {', '.join(_SPLITS)}."
            f"{meant(name, _SPLITS)}"
        )
    return _Row(
        _file(image, folder, place),
        kind,
        name,
        None if mask is None or kind == GOOD else _file(mask, folder, place),
    )


def _defect_type(label: str) -> str:
    if label.casefold() in _GOOD_LABELS:
        return GOOD
    return _DEFECT if label.casefold() in _BARE_LABELS else label


def _text(fields: Mapping[str, Any], names: Iterable[str]) -> str | None:
    """Return the first value that is there, without spaces around it."""
    texts = (str(fields[name]).strip() for name in names if fields.get(name) is not None)
    return next((text for text in texts if text), None)


def _file(text: str, folder: Path, place: str) -> Path:
    path = absolute(folder / text.replace("\\", "/"))
    if not os.path.lexists(path):
        raise DataError(
            f"{place}: {path} does not exist; paths are absolute, or start from {folder}."
        )
    return path


def _fields(file: Path) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield each row with its place for messages."""
    try:
        text = file.read_text(encoding="utf-8-sig")
        is_table = file.suffix.lower() in (".csv", ".tsv")
        yield from _of_table(file, text) if is_table else _of_json(file, text)
    except (OSError, UnicodeDecodeError, csv.Error, json.JSONDecodeError) as error:
        raise DataError(
            f"{file} cannot be read as a list of images ({error}); save it as CSV or JSON in UTF-8."
        ) from error


def _of_table(file: Path, text: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    lines = text.splitlines()
    head = lines[0] if lines else ""
    delimiter = max(",;\t", key=head.count)
    reader = csv.DictReader(lines, restval="", delimiter=delimiter)
    reader.fieldnames = [name.strip().casefold() for name in reader.fieldnames or ()]
    for row in reader:
        yield f"{file}, line {reader.line_num}", row


def _of_json(file: Path, text: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield the objects of a list, of JSON lines, or of lists under the names of the splits."""
    if file.suffix.lower() == ".jsonl":
        content: Any = [json.loads(line) for line in text.splitlines() if line.strip()]
    else:
        content = json.loads(text)
    by_split = {None: content} if isinstance(content, list) else content
    for split, entries in by_split.items() if isinstance(by_split, dict) else ():
        if split is not None and split not in _SPLITS:
            continue
        for number, entry in enumerate(entries if isinstance(entries, list) else (), start=1):
            place = f"{file}, {'entry' if split is None else split} {number}"
            if not isinstance(entry, dict):
                raise DataError(f"{place} is no object with an image and a label.")
            yield place, entry if split is None else {"split": split, **entry}
