"""Plain folders: good images, and folders of defective ones beside them."""

from pathlib import Path

from rcae.data.folders import scan
from rcae.data.layouts.masks import MaskFiles, is_mask_folder
from rcae.data.layouts.sample import (
    Category,
    category_of,
    defective_samples,
    good_folders,
    good_images,
    good_samples,
)

TEST_GOOD = "test_good"
HELD_OUT_EVERY = 5
"""Stride of the test split of a plain folder: every fifth good image is a test image (our choice)."""


def read_flat(root: Path) -> Category:
    """Read good images directly in the root."""
    note = f"Folders in {root} are not looked into, because images lie beside them."
    masks = MaskFiles()
    samples = good_samples(good_images([root], masks), "train")
    return category_of(root, "plain", samples, masks.paths, [note] if scan(root)[0] else [])


def read_plain(root: Path) -> Category:
    """Read good images in `good`, and defective images in the folders beside it."""
    folders, ignored = scan(root)
    masks = MaskFiles.below(root)
    of_good = good_folders(root)
    types = [
        f for f in folders if f not in of_good and f.name != TEST_GOOD and not is_mask_folder(f)
    ]
    samples = [sample for folder in types for sample in defective_samples(folder, masks)]
    good = good_images(of_good, masks)
    test_good = good_images([f for f in folders if f.name == TEST_GOOD], masks)
    notes = []
    if ignored:
        notes.append(f"Images directly in {root} are not used, because there is {of_good[0]}.")
    if samples and not test_good:
        test_good = good[HELD_OUT_EVERY - 1 :: HELD_OUT_EVERY]
        good = [path for number, path in enumerate(good, start=1) if number % HELD_OUT_EVERY]
        notes.append(
            f"Every fifth good image by name, {len(test_good)} in all, is for the test and not "
            f"for training, because there is no image in {root / TEST_GOOD}."
        )
    samples += good_samples(good, "train") + good_samples(test_good, "test")
    return category_of(root, "plain", samples, masks.paths, notes)
