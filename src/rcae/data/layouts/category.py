"""Recognition of the dataset layout of a folder, by its subfolders; no pixel is decoded."""

import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from rcae.base.errors import DataError, UsageError
from rcae.data.folders import expand_paths, list_images, scan, unlisted_named
from rcae.data.layouts.visa_table import read_visa_table

__all__ = ["Category", "Sample", "expand_paths", "is_category", "list_images", "open_category"]

Layout = Literal["mvtec", "visa_raw", "visa_1cls", "plain"]
Split = Literal["train", "test"]

GOOD = "good"
HELD_OUT_EVERY = 5
"""Stride of the test split of a plain folder: every fifth good image is a test image (our choice)."""

_LAYOUTS = """\
A category is a folder in one of these layouts:
  MVTec AD   train/good/, test/good/, test/<defect>/, ground_truth/<defect>/<name>_mask.png
  VisA       Data/Images/Normal/, Data/Images/Anomaly/, Data/Masks/Anomaly/, ../split_csv/1cls.csv
  VisA 1cls  train/good/, test/good/, test/bad/, ground_truth/bad/<name>.png
  plain      good images directly in the folder; or good/ and, if there are any, test_good/,
             <defect>/, masks/<defect>/<name>.png"""


@dataclass(frozen=True)
class Sample:
    """One image of a category with its split, defect type and mask."""

    path: Path
    split: Split
    defect_type: str
    """Name of the image's folder; "anomaly" in VisA as published, "good" for good images."""
    mask_path: Path | None = None
    """Mask of the image; None for good images, and for defective images without a mask."""
    mask_is_indexed: bool = False
    """True if the mask holds class numbers; see `read_mask`."""

    @property
    def is_defective(self) -> bool:
        """True if the image shows a defect."""
        return self.defect_type != GOOD


@dataclass(frozen=True)
class Category:
    """One kind of part and its images, in an order that does not depend on the file system."""

    name: str
    root: Path
    layout: Layout
    samples: tuple[Sample, ...]
    """Training samples before test samples, each sorted by path."""
    notes: tuple[str, ...] = ()
    """Remarks for the user on how the folder was interpreted."""
    unused_masks: tuple[Path, ...] = ()
    """Masks that belong to no defective image."""

    @property
    def train_good(self) -> tuple[Sample, ...]:
        """Good images of the training split."""
        return tuple(r for r in self.samples if r.split == "train" and not r.is_defective)

    @property
    def test(self) -> tuple[Sample, ...]:
        """Images of the test split, good and defective."""
        return tuple(r for r in self.samples if r.split == "test")


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
    category = readers[0](root) if readers else _read_flat(root)
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


def _read_tree(root: Path) -> Category:
    """Read MVTec AD, or VisA as reorganised by its authors' script.

    Both have the same tree but name their masks differently.
    """
    masks = _list_masks(root / "ground_truth")
    samples = _good_samples(_images_if_any(root / "train" / GOOD), "train")
    samples += _good_samples(_images_if_any(root / "test" / GOOD), "test")
    folders = scan(root / "test")[0] if (root / "test").is_dir() else []
    types = [folder for folder in folders if folder.name != GOOD]
    samples += [sample for folder in types for sample in _defective_samples(folder, masks)]
    pairs = [(r.path.stem, r.mask_path.stem) for r in samples if r.mask_path is not None]
    is_visa = [folder.name for folder in types] == ["bad"] and all(a == b for a, b in pairs)
    return _category(root, "visa_1cls" if pairs and is_visa else "mvtec", samples, masks.values())


def _read_visa(root: Path) -> Category:
    """Read VisA as published; the table beside the category gives the split of each image."""
    place = root.resolve()
    samples = [
        Sample(
            root / row.image,
            row.split,
            "anomaly" if row.is_defective else GOOD,
            root / row.mask if row.mask is not None else None,
            mask_is_indexed=row.mask is not None,
        )
        for row in read_visa_table(place.parent / "split_csv" / "1cls.csv", place.name)
    ]
    masks = _images_if_any(root / "Data" / "Masks" / "Anomaly")
    return _category(root, "visa_raw", samples, masks)


def _read_flat(root: Path) -> Category:
    """Read good images directly in the root."""
    folders, images = scan(root)
    note = f"Folders in {root} are not looked into, because images lie beside them."
    samples = _good_samples(images, "train")
    return _category(root, "plain", samples, notes=[note] if folders else [])


def _read_plain(root: Path) -> Category:
    """Read good images in `good`, and defective images in the folders beside it."""
    folders, ignored = scan(root)
    masks = _list_masks(root / "masks", root / "ground_truth")
    types = [f for f in folders if f.name not in (GOOD, "test_good", "masks", "ground_truth")]
    samples = [sample for folder in types for sample in _defective_samples(folder, masks)]
    good, test_good = list_images(root / GOOD), _images_if_any(root / "test_good")
    notes = []
    if ignored:
        notes.append(f"Images directly in {root} are not used, because there is {root / GOOD}.")
    if samples and not test_good:
        test_good = good[HELD_OUT_EVERY - 1 :: HELD_OUT_EVERY]
        good = [path for number, path in enumerate(good, start=1) if number % HELD_OUT_EVERY]
        notes.append(
            f"Every fifth good image by name, {len(test_good)} in all, is for the test and not "
            f"for training, because there is no image in {root / 'test_good'}."
        )
    samples += _good_samples(good, "train") + _good_samples(test_good, "test")
    return _category(root, "plain", samples, masks.values(), notes)


_READERS: dict[str, Callable[[Path], Category]] = {
    "Data/Images": _read_visa,
    "train/good": _read_tree,
    "test/good": _read_tree,
    "good": _read_plain,
}
"""Reader for each folder that identifies a layout; the first existing folder decides."""


def _category(
    root: Path,
    layout: Layout,
    samples: Iterable[Sample],
    masks: Iterable[Path] = (),
    notes: Iterable[str] = (),
) -> Category:
    in_order = tuple(sorted(samples, key=lambda r: (r.split != "train", r.path.as_posix())))
    unused = tuple(sorted(set(masks) - {sample.mask_path for sample in in_order}))
    return Category(root.resolve().name, root, layout, in_order, tuple(notes), unused)


Masks = Mapping[tuple[str, str], Path]
"""Mask files by defect type and name without suffix."""


def _list_masks(*parents: Path) -> Masks:
    folders = [folder for parent in parents if parent.is_dir() for folder in scan(parent)[0]]
    return {(folder.name, mask.stem): mask for folder in folders for mask in list_images(folder)}


def _defective_samples(folder: Path, masks: Masks) -> list[Sample]:
    """Return the images of one defect type, each with its mask if there is one."""
    samples = []
    for path in list_images(folder):
        names = (f"{path.stem}_mask", path.stem)
        found = [masks[folder.name, name] for name in names if (folder.name, name) in masks]
        samples.append(Sample(path, "test", folder.name, found[0] if found else None))
    return samples


def _good_samples(images: Iterable[Path], split: Split) -> list[Sample]:
    return [Sample(path, split, GOOD) for path in images]


def _images_if_any(folder: Path) -> list[Path]:
    return list_images(folder) if folder.is_dir() else []


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
