"""The layout of a folder, told by what is there."""

import os
from dataclasses import replace
from pathlib import Path

from rcae.base.errors import DataError, UsageError
from rcae.base.names import meant
from rcae.base.plug_ins import Table
from rcae.data.folders import scan, unlisted_named
from rcae.data.layouts.dagm import is_dagm, read_dagm
from rcae.data.layouts.image_list import is_image_list, read_image_list
from rcae.data.layouts.kolektor import (
    is_kolektor_sdd,
    is_kolektor_sdd2,
    read_kolektor_sdd,
    read_kolektor_sdd2,
)
from rcae.data.layouts.left_out import with_left_out_named
from rcae.data.layouts.mvtec import is_tree, read_tree
from rcae.data.layouts.mvtec_2 import is_mvtec_2, read_mvtec_2
from rcae.data.layouts.named_folders import read_named_folders
from rcae.data.layouts.plain import is_plain, read_flat, read_plain
from rcae.data.layouts.reader import Reader
from rcae.data.layouts.real_iad import is_real_iad, read_real_iad
from rcae.data.layouts.sample import Category
from rcae.data.layouts.source import Data, DataSource
from rcae.data.layouts.visa import is_visa, read_visa

_LAYOUTS = """\
A category is a folder in one of these layouts:
  MVTec AD   train/good/, test/good/, test/<defect>/, ground_truth/<defect>/<name>_mask.png
             MPDD, MVTec LOCO and BTAD alike; MVTec AD 2: test_public/ for test/
  VisA       Data/Images/Normal/, Data/Images/Anomaly/, Data/Masks/Anomaly/, ../split_csv/1cls.csv
  VisA 1cls  train/good/, test/good/, test/bad/, ground_truth/bad/<name>.png
  Real-IAD   OK/, NG/, ../../realiad_jsons/<category>.json
  Kolektor   kos01/Part0.jpg, kos01/Part0_label.bmp; or train/10000.png, train/10000_GT.png, test/
  DAGM 2007  Train/0576.PNG, Train/Label/0576_label.PNG, Test/
  plain      good images directly in the folder; or good/ and, if there are any, test_good/,
             <defect>/, masks/<defect>/<name>.png
Good images may also lie in ok/ or normal/. Masks lie in ground_truth/, masks/ or mask/, as <name>.png,
<name>_mask.png, <name>_gt.png, <name>_label.png or in a folder <name>/; or beside their images. Polygons
of LabelMe (<name>.json), YOLO (labels/<name>.txt) and COCO (annotations/<any>.json) are masks too.
Other folders: --good DIR, --test-good DIR, --defective DIR, --masks DIR. Other trees: a CSV or JSON file
that lists image_path, label, split and mask_path."""

_FOLDERS = (
    "train",
    "test",
    "good",
    "test_good",
    "test_public",
    "data",
    "ground_truth",
    "masks",
    "ok",
    "ng",
)
"""Folders that tell a layout, in lower case."""

LAYOUTS: Table[Reader] = Table(
    "layout",
    "rcae.layouts",
    Reader,
    {
        "visa": Reader(is_visa, read_visa),
        "real_iad": Reader(is_real_iad, read_real_iad),
        "mvtec_2": Reader(is_mvtec_2, read_mvtec_2),
        "mvtec": Reader(is_tree, read_tree),
        "plain": Reader(is_plain, read_plain),
        "dagm": Reader(is_dagm, read_dagm),
        "kolektor_2": Reader(is_kolektor_sdd2, read_kolektor_sdd2),
        "kolektor": Reader(is_kolektor_sdd, read_kolektor_sdd),
    },
)
"""Readers of the layouts that are told by their folders."""


def _reader_for(root: Path) -> Reader | None:
    """Return the first reader that fits a folder, those of plug-ins before the built-in ones.

    None fits where the folders are not those of a category.
    """
    readers = map(LAYOUTS.__getitem__, (*LAYOUTS.added, *LAYOUTS.built_in))
    return next((reader for reader in readers if reader.fits(root)), None)


@unlisted_named()
def open_category(data: Data) -> Category:
    """List the images and masks of one category; most layouts need no pixel for it.

    Args:
        data: the folder of a category, a list of images, or a source that says more of it.

    Raises:
        UsageError: a path does not exist.
        DataError: the folder fits no layout or holds no image; a folder, a list or VisA's table is
            unreadable.
    """
    source = DataSource.of(data)
    category = _opened(source)
    if not (source.masks_inverted or source.masks_unturned):
        return category
    samples = (
        replace(one, mask_reading=source.mask_reading(one.mask_reading)) for one in category.samples
    )
    return replace(category, samples=tuple(samples))


def _opened(source: DataSource) -> Category:
    root = source.root
    if not os.path.lexists(root):
        raise UsageError(
            f"{root} does not exist; give the folder of one category, or a list of its images."
        )
    if source.folders:
        category = read_named_folders(source)
    elif is_image_list(root):
        category = read_image_list(root)
    else:
        return _of_folder(root)
    if not category.samples:
        raise DataError(f"{root} gives no image; the folders that are named hold none.")
    return replace(category, name=root.resolve().name)


def _of_folder(root: Path) -> Category:
    folders, images = scan(root)
    reader = _reader_for(root)
    if reader is None and not images:
        raise DataError(_describe_misfit(root, folders))
    category = read_flat(root) if reader is None else reader.read(root)
    if not category.samples:
        raise DataError(f"{root} has the folders of a category but no image in them.\n{_LAYOUTS}")
    return with_left_out_named(category)


@unlisted_named()
def is_category(folder: Path) -> bool:
    """Return True if a folder has the subfolders of a category, and not just images.

    Raises:
        DataError: the folder cannot be entered.
    """
    return folder.is_dir() and _reader_for(folder) is not None


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
    near = next(filter(None, (meant(folder.name, _FOLDERS) for folder in folders)), "")
    return f"{root} fits no layout: it holds {found}.{near}\n{_LAYOUTS}"
