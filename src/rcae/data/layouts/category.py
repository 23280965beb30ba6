"""The layout of a folder, told by what is there; opens no pixel."""

import os
from collections.abc import Callable
from pathlib import Path

from rcae.base.errors import DataError, UsageError
from rcae.data.folders import scan, unlisted_named
from rcae.data.layouts.mvtec import read_tree
from rcae.data.layouts.plain import read_flat, read_plain
from rcae.data.layouts.sample import Category
from rcae.data.layouts.visa import read_visa

_LAYOUTS = """\
A category is a folder in one of these layouts:
  MVTec AD   train/good/, test/good/, test/<defect>/, ground_truth/<defect>/<name>_mask.png
  VisA       Data/Images/Normal/, Data/Images/Anomaly/, Data/Masks/Anomaly/, ../split_csv/1cls.csv
  VisA 1cls  train/good/, test/good/, test/bad/, ground_truth/bad/<name>.png
  plain      good images directly in the folder; or good/ and, if there are any, test_good/,
             <defect>/, masks/<defect>/<name>.png"""

_READERS: dict[str, Callable[[Path], Category]] = {
    "Data/Images": read_visa,
    "train/good": read_tree,
    "test/good": read_tree,
    "good": read_plain,
}
"""Reader for each folder that identifies a layout; the first existing folder decides."""


@unlisted_named()
def open_category(root: Path) -> Category:
    """List the images and masks of one category.

    Raises:
        UsageError: `root` does not exist.
        DataError: `root` fits no layout or holds no image; a folder or VisA's table is unreadable.
    """
    if not os.path.lexists(root):
        raise UsageError(f"{root} does not exist; give the folder of one category.")
    folders, images = scan(root)
    readers = [_READERS[marker] for marker in _READERS if (root / marker).is_dir()]
    if not readers and not images:
        raise DataError(_describe_misfit(root, folders))
    category = readers[0](root) if readers else read_flat(root)
    if not category.samples:
        raise DataError(f"{root} has the folders of a category but no image in them.\n{_LAYOUTS}")
    return category


@unlisted_named()
def is_category(folder: Path) -> bool:
    """Return True if a folder has the subfolders of a category, and not just images.

    Raises:
        DataError: the folder cannot be entered.
    """
    return any((folder / marker).is_dir() for marker in _READERS)


def _describe_misfit(root: Path, folders: list[Path]) -> str:
    categories = [folder.name for folder in folders if is_category(folder)]
    if categories:
        return (
            f"{root} is not one category but holds {', '.join(categories)}; give one of them, like "
            f"{root / categories[0]}."
        )
    names = ", ".join(f"{folder.name}/" for folder in folders[:8])
    more = f" and {len(folders) - 8} more" if len(folders) > 8 else ""
    found = f"the folders {names}{more} and no images" if folders else "neither folders nor images"
    return f"{root} fits no layout: it holds {found}.\n{_LAYOUTS}"
