"""Files of a category that no layout uses, so that none vanishes without a word; opens no pixel."""

from collections import Counter
from dataclasses import replace
from pathlib import Path

from rcae.data.folders import (
    describe_folders_left_out,
    describe_other_files,
    files_below,
    folders_left_out,
    is_image,
)
from rcae.data.layouts.masks import without_mark
from rcae.data.layouts.sample import Category

MOST_NAMED = 5
"""Folders that are named at most."""


def with_left_out_named(category: Category) -> Category:
    """Return the category with notes on images in folders that are not looked into, and on other files.

    Files of other kinds are named where they lie among images that are used.
    """
    used = {path for one in category.samples for path in (one.path, *one.mask_paths)}
    used.update(category.unused_masks)
    among_images = {path.parent for path in used}
    names = {path.parent / path.stem for path in used}
    images: Counter[str] = Counter()
    others = []
    for path in files_below(category.root):
        if path in used or _is_mask_beside(path, names):
            continue
        if is_image(path):
            images[path.parent.relative_to(category.root).as_posix()] += 1
        elif path.parent in among_images:
            others.append(path)
    notes = list(category.notes)
    if folders := folders_left_out(category.root):
        notes.append(describe_folders_left_out(folders, category.root))
    if images:
        places = ", ".join(
            f"{count} in {folder}/" for folder, count in images.most_common(MOST_NAMED)
        )
        more = f" and {len(images) - MOST_NAMED} more folders" if len(images) > MOST_NAMED else ""
        notes.append(f"Images left out: {places}{more}.")
    if others:
        notes.append(describe_other_files(others))
    return replace(category, notes=tuple(notes))


def _is_mask_beside(path: Path, names: set[Path]) -> bool:
    """Tell whether a file is named like the mask of a used image beside it; such masks were looked at."""
    name = without_mark(path.stem)
    return name != path.stem and path.parent / name in names
