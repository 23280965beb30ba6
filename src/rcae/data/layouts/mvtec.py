"""MVTec AD and its relatives, and VisA as its authors' script reorganises it."""

from pathlib import Path

from rcae.data.folders import scan
from rcae.data.layouts.masks import MaskFiles, is_mask_folder
from rcae.data.layouts.sample import (
    Category,
    Layout,
    category_of,
    defective_samples,
    good_folders,
    good_images,
    good_samples,
    is_good_folder,
)


def is_tree(root: Path) -> bool:
    """Tell the tree of MVTec AD by its folders of good images."""
    return bool(good_folders(root / "train") or good_folders(root / "test"))


def read_tree(root: Path, test: str = "test", layout: Layout = "mvtec") -> Category:
    """Read MVTec AD, MVTec LOCO, BTAD, MPDD, or VisA as reorganised by its authors' script.

    All have the same tree but name good images and masks differently.

    Args:
        root: the category.
        test: name of the folder of test images.
        layout: name of the layout.
    """
    of_test = [root / test] if (root / test).is_dir() else []
    masks = MaskFiles.below(root, *of_test)
    samples = good_samples(good_images(good_folders(root / "train"), masks), "train")
    samples += good_samples(good_images(good_folders(root / test), masks), "test")
    folders = [folder for place in of_test for folder in scan(place)[0]]
    types = [one for one in folders if not is_good_folder(one) and not is_mask_folder(one)]
    samples += [sample for folder in types for sample in defective_samples(folder, masks)]
    pairs = [(r.path.stem, mask.stem) for r in samples for mask in r.mask_paths]
    if layout == "mvtec" and pairs and [folder.name for folder in types] == ["bad"]:
        layout = "visa_1cls" if all(a == b for a, b in pairs) else layout
    return category_of(root, layout, samples, masks.paths, masks.notes(root))
