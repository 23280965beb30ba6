"""One image of a category and what is known of it, and the category that they make."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Literal

import numpy as np

from rcae.base.arrays import Mask
from rcae.base.errors import DataError
from rcae.data.annotations.annotation import entry_of, is_named_like_one
from rcae.data.folders import scan
from rcae.data.image_files import read_header
from rcae.data.layouts.mask_reading import AS_DRAWN, MaskReading
from rcae.data.layouts.masks import MaskFiles, nested_name

Layout = Literal[
    "mvtec",
    "mvtec_2",
    "visa_raw",
    "visa_1cls",
    "real_iad",
    "kolektor",
    "dagm",
    "plain",
    "folders",
    "list",
]
Split = Literal["train", "test"]
GOOD = "good"
GOOD_FOLDERS = frozenset({GOOD, "ok", "normal"})
"""Names of folders that hold good images, in lower case."""


@dataclass(frozen=True)
class Sample:
    """One image of a category with its split, defect type and mask."""

    path: Path
    split: Split
    defect_type: str
    """Name of the image's folder; "anomaly" in VisA as published, "good" for good images."""
    mask_paths: tuple[Path, ...] = ()
    """Masks of the image, which add up; none for good images, and for defective images without a mask."""
    mask_reading: MaskReading = AS_DRAWN
    """Properties of the masks that their files do not tell."""

    @property
    def is_defective(self) -> bool:
        """True if the image shows a defect."""
        return self.defect_type != GOOD

    def mask(self) -> Mask:
        """Read the masks of the image and join them: bool [height, width], True where one marks a defect.

        Raises:
            DataError: the sample has no mask, or its masks differ in size.
            DataError, ImageError: see `MaskReading.read`.
        """
        masks = [self.mask_reading.read(mask, self.path) for mask in self.mask_paths]
        sizes = {mask.shape for mask in masks}
        if len(sizes) != 1:
            raise DataError(
                f"{self.path} has {len(masks)} masks of {len(sizes)} different sizes "
                f"({', '.join(map(str, self.mask_paths))}); an image needs masks of its own size."
            )
        joined: Mask = np.logical_or.reduce(masks)
        return joined


@dataclass(frozen=True)
class Category:
    """One kind of part and its images, in an order that does not depend on the file system."""

    name: str
    root: Path
    layout: str
    """One of `Layout`, or the name that a plug-in gave."""
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


def fault_of_size(image: Path, size_px: tuple[int, int], mask: Mask) -> str | None:
    """Return what is wrong with the size of a mask, after its name; None for the size of its image.

    Args:
        image: the image file.
        size_px: height and width of the image.
        mask: bool [height, width].
    """
    if mask.shape == size_px:
        return None
    (mask_height, mask_width), (height, width) = mask.shape, size_px
    sizes = f"is {mask_width}x{mask_height} px, its image {width}x{height} px"
    if mask.shape == size_px[::-1] and read_header(image).is_turned:
        return (
            f"{sizes} after EXIF turns it; turn the mask in the same way, or give --masks-unturned."
        )
    return f"{sizes}; a mask has the size of its image."


def fault_of_inversion(marked: Sequence[float]) -> str | None:
    """Return what is wrong with masks that mark the good part of their images, after the category's name.

    Args:
        marked: marked share of each defective image, 0..1. More than half in the median is inverted.
    """
    if not marked or median(marked) <= 0.5:
        return None
    return (
        f"has masks that mark {median(marked):.0%} of their images in the median, as if white were good; "
        "invert them, for white marks a defect, or give or leave out --masks-inverted."
    )


def category_of(
    root: Path,
    layout: str,
    samples: Iterable[Sample],
    masks: Iterable[Path] = (),
    notes: Iterable[str] = (),
) -> Category:
    """Return a category whose samples are sorted, training before test, and whose unused masks are listed.

    Raises:
        DataError: one mask belongs to several images.
    """
    in_order = tuple(sorted(samples, key=lambda r: (r.split != "train", r.path.as_posix())))
    owners: dict[tuple[Path, str | None], Sample] = {}
    for sample in in_order:
        for mask in sample.mask_paths:
            entry = entry_of(mask, sample.path) if is_named_like_one(mask) else None
            if (mask, entry) in owners:
                raise DataError(
                    f"{mask} is the mask of {owners[mask, entry].path} and of {sample.path}; put masks into "
                    "a folder for each defect type, or give the images different names."
                )
            owners[mask, entry] = sample
    unused = tuple(sorted(set(masks) - {mask for mask, _ in owners}))
    notes = [*notes, *_not_used(in_order)]
    return Category(root.resolve().name, root, layout, in_order, tuple(notes), unused)


def _not_used(samples: Iterable[Sample]) -> Iterator[str]:
    """Yield a remark on defective images of the training split."""
    count = sum(sample.split == "train" and sample.is_defective for sample in samples)
    if count:
        yield f"Defective images of the training split are not used: {count}."


def defective_samples(
    folder: Path, masks: MaskFiles, defect_type: str | None = None
) -> list[Sample]:
    """Return the images of one defect type, each with its masks.

    Masks beside the images are added. The mask of an image further below lies in the same place, or has a
    name that no other image of the type has.

    Args:
        folder: the images; also those in folders below.
        masks: all masks, as far as they are known.
        defect_type: the type; None is the name of the folder.
    """
    kind = folder.name if defect_type is None else defect_type
    images = masks.images_below(folder, kind)
    names = Counter(path.stem for path in images)

    def masks_of(image: Path) -> tuple[Path, ...]:
        found = masks.of(nested_name(image, folder), kind, image)
        if found or names[image.stem] > 1:
            return found
        return masks.of(image.stem, kind, image)

    return [Sample(path, "test", kind, masks_of(path)) for path in images]


def good_samples(images: Iterable[Path], split: Split) -> list[Sample]:
    """Return good images as samples."""
    return [Sample(path, split, GOOD) for path in images]


def good_folders(parent: Path) -> list[Path]:
    """Return the folders of good images in a folder; none where it does not exist."""
    return [one for one in scan(parent)[0] if is_good_folder(one)] if parent.is_dir() else []


def is_good_folder(folder: Path) -> bool:
    """Tell whether a folder holds good images, by its name."""
    return folder.name.casefold() in GOOD_FOLDERS


def good_images(folders: Iterable[Path], masks: MaskFiles) -> list[Path]:
    """Return the images of folders of good ones, without masks that lie among them.

    Images in folders below are taken too. Some datasets put a black mask beside each good image. They are
    added to `masks`, and belong to no image.
    """
    return [image for folder in folders for image in masks.images_below(folder, GOOD)]
