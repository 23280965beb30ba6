"""MVTec AD, and VisA as its authors' script reorganises it."""

from pathlib import Path

from rcae.data.folders import scan
from rcae.data.layouts.sample import (
    GOOD,
    Category,
    category_of,
    defective_samples,
    good_samples,
    images_if_any,
    list_masks,
)


def read_tree(root: Path) -> Category:
    """Read MVTec AD, or VisA as reorganised by its authors' script.

    Both have the same tree but name their masks differently.
    """
    masks = list_masks(root / "ground_truth")
    samples = good_samples(images_if_any(root / "train" / GOOD), "train")
    samples += good_samples(images_if_any(root / "test" / GOOD), "test")
    folders = scan(root / "test")[0] if (root / "test").is_dir() else []
    types = [folder for folder in folders if folder.name != GOOD]
    samples += [sample for folder in types for sample in defective_samples(folder, masks)]
    pairs = [(r.path.stem, r.mask_path.stem) for r in samples if r.mask_path is not None]
    is_visa = [folder.name for folder in types] == ["bad"] and all(a == b for a, b in pairs)
    return category_of(root, "visa_1cls" if pairs and is_visa else "mvtec", samples, masks.values())
