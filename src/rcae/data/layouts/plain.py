"""Plain folders: good images, and folders of defective ones beside them."""

from pathlib import Path

from rcae.data.folders import list_images, scan
from rcae.data.layouts.sample import (
    GOOD,
    Category,
    category_of,
    defective_samples,
    good_samples,
    images_if_any,
    list_masks,
)

HELD_OUT_EVERY = 5
"""Stride of the test split of a plain folder: every fifth good image is a test image (our choice)."""


def read_flat(root: Path) -> Category:
    """Read good images directly in the root."""
    folders, images = scan(root)
    note = f"Folders in {root} are not looked into, because images lie beside them."
    samples = good_samples(images, "train")
    return category_of(root, "plain", samples, notes=[note] if folders else [])


def read_plain(root: Path) -> Category:
    """Read good images in `good`, and defective images in the folders beside it."""
    folders, ignored = scan(root)
    masks = list_masks(root / "masks", root / "ground_truth")
    types = [f for f in folders if f.name not in (GOOD, "test_good", "masks", "ground_truth")]
    samples = [sample for folder in types for sample in defective_samples(folder, masks)]
    good, test_good = list_images(root / GOOD), images_if_any(root / "test_good")
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
    samples += good_samples(good, "train") + good_samples(test_good, "test")
    return category_of(root, "plain", samples, masks.values(), notes)
