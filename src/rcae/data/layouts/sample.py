"""One image of a category and what is known of it, and the category that they make."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from rcae.data.folders import list_images, scan

Layout = Literal["mvtec", "visa_raw", "visa_1cls", "plain"]
Split = Literal["train", "test"]
GOOD = "good"


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


def category_of(
    root: Path,
    layout: Layout,
    samples: Iterable[Sample],
    masks: Iterable[Path] = (),
    notes: Iterable[str] = (),
) -> Category:
    """Return a category whose samples are sorted, training before test, and whose unused masks are listed."""
    in_order = tuple(sorted(samples, key=lambda r: (r.split != "train", r.path.as_posix())))
    unused = tuple(sorted(set(masks) - {sample.mask_path for sample in in_order}))
    return Category(root.resolve().name, root, layout, in_order, tuple(notes), unused)


Masks = Mapping[tuple[str, str], Path]
"""Mask files by defect type and name without suffix."""


def list_masks(*parents: Path) -> Masks:
    """Return the mask files in the folders below those parents that exist."""
    folders = [folder for parent in parents if parent.is_dir() for folder in scan(parent)[0]]
    return {(folder.name, mask.stem): mask for folder in folders for mask in list_images(folder)}


def defective_samples(folder: Path, masks: Masks) -> list[Sample]:
    """Return the images of one defect type, each with its mask if there is one."""
    samples = []
    for path in list_images(folder):
        names = (f"{path.stem}_mask", path.stem)
        found = [masks[folder.name, name] for name in names if (folder.name, name) in masks]
        samples.append(Sample(path, "test", folder.name, found[0] if found else None))
    return samples


def good_samples(images: Iterable[Path], split: Split) -> list[Sample]:
    """Return good images as samples."""
    return [Sample(path, split, GOOD) for path in images]


def images_if_any(folder: Path) -> list[Path]:
    """Return the images of a folder, none where it does not exist."""
    return list_images(folder) if folder.is_dir() else []
