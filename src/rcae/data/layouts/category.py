"""The layout of a folder, told by what is there; opens no pixel."""

import os
from collections.abc import Callable
from pathlib import Path

from rcae.base.errors import DataError, UsageError
from rcae.data.folders import scan, unlisted_named
from rcae.data.layouts.left_out import with_left_out_named
from rcae.data.layouts.mvtec import read_tree
from rcae.data.layouts.plain import read_flat, read_plain
from rcae.data.layouts.sample import Category, good_folders
from rcae.data.layouts.visa import read_visa

_LAYOUTS = """\
A category is a folder in one of these layouts:
  MVTec AD   train/good/, test/good/, test/<defect>/, ground_truth/<defect>/<name>_mask.png
  VisA       Data/Images/Normal/, Data/Images/Anomaly/, Data/Masks/Anomaly/, ../split_csv/1cls.csv
  VisA 1cls  train/good/, test/good/, test/bad/, ground_truth/bad/<name>.png
  plain      good images directly in the folder; or good/ and, if there are any, test_good/,
             <defect>/, masks/<defect>/<name>.png
Good images may also lie in ok/ or normal/. Masks lie in ground_truth/, masks/ or mask/, as <name>.png,
<name>_mask.png, <name>_gt.png, <name>_label.png or in a folder <name>/; or beside their images."""


def _reader_for(root: Path) -> Callable[[Path], Category] | None:
    """Return the reader for the folders of a category; None where there are no such folders."""
    if (root / "Data" / "Images").is_dir():
        return read_visa
    if good_folders(root / "train") or good_folders(root / "test"):
        return read_tree
    return read_plain if good_folders(root) else None


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
    reader = _reader_for(root)
    if reader is None and not images:
        raise DataError(_describe_misfit(root, folders))
    category = (reader or read_flat)(root)
    if not category.samples:
        raise DataError(f"{root} has the folders of a category but no image in them.\n{_LAYOUTS}")
    return with_left_out_named(category)


@unlisted_named()
def is_category(folder: Path) -> bool:
    """Return True if a folder has the subfolders of a category, and not just images.

    Raises:
        DataError: the folder cannot be entered.
    """
    return _reader_for(folder) is not None


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
