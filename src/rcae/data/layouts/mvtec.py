"""MVTec AD and its relatives, and VisA as its authors' script reorganises it."""

from pathlib import Path

from rcae.data.folders import scan
from rcae.data.layouts.masks import MaskFiles
from rcae.data.layouts.sample import (
    Category,
    category_of,
    defective_samples,
    good_folders,
    good_images,
    good_samples,
    is_good_folder,
)


def read_tree(root: Path) -> Category:
    """Read MVTec AD, MVTec LOCO, BTAD, or VisA as reorganised by its authors' script.

    All have the same tree but name good images and masks differently.
    """
    masks = MaskFiles.below(root)
    samples = good_samples(good_images(good_folders(root / "train"), masks), "train")
    samples += good_samples(good_images(good_folders(root / "test"), masks), "test")
    folders = scan(root / "test")[0] if (root / "test").is_dir() else []
    types = [folder for folder in folders if not is_good_folder(folder)]
    samples += [sample for folder in types for sample in defective_samples(folder, masks)]
    pairs = [(r.path.stem, mask.stem) for r in samples for mask in r.mask_paths]
    is_visa = [folder.name for folder in types] == ["bad"] and all(a == b for a, b in pairs)
    return category_of(root, "visa_1cls" if pairs and is_visa else "mvtec", samples, masks.paths)
