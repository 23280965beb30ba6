"""Plain folders: good images, and folders of defective ones beside them."""

from pathlib import Path

from rcae.data.folders import scan
from rcae.data.layouts.held_out import hold_out
from rcae.data.layouts.masks import MaskFiles, is_mask_folder
from rcae.data.layouts.sample import (
    GOOD,
    Category,
    category_of,
    defective_samples,
    good_folders,
    good_images,
    good_samples,
)

TEST_GOOD = "test_good"


def is_plain(root: Path) -> bool:
    """Tell a plain folder by its folders of good images."""
    return bool(good_folders(root))


def read_flat(root: Path) -> Category:
    """Read good images directly in the root."""
    note = f"Folders in {root} are not looked into, because images lie beside them."
    masks = MaskFiles()
    samples = good_samples(masks.images_in(root, GOOD), "train")
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
        good, test_good, note = hold_out(good, f"there is no image in {root / TEST_GOOD}")
        notes.append(note)
    samples += good_samples(good, "train") + good_samples(test_good, "test")
    return category_of(root, "plain", samples, masks.paths, [*notes, *masks.notes(root)])
