"""DAGM 2007: one class, with labels of the defective images in a folder beside."""

from pathlib import Path

from rcae.base.errors import DataError
from rcae.data.folders import list_images, scan
from rcae.data.layouts.masks import MaskFiles
from rcae.data.layouts.sample import GOOD, Category, Sample, Split, category_of

_DEFECT = "defect"
_LABELS = "label"
_SPLITS: tuple[Split, ...] = ("train", "test")


def is_dagm(root: Path) -> bool:
    """Tell DAGM 2007 by a folder `Label/` in `Train/` or `Test/`."""
    return any(_labels(folder) is not None for folder in _split_folders(root).values())


def read_dagm(root: Path) -> Category:
    """Read `Train/0576.PNG` with `Train/Label/0576_label.PNG` and so on.

    An image is defective if it has a label, or if `Label/Labels.txt` says so.

    Raises:
        DataError: `Labels.txt` is unreadable.
    """
    masks = MaskFiles()
    samples = []
    for split, folder in _split_folders(root).items():
        labels = _labels(folder)
        if labels is not None:
            masks.add_folder(labels, split)
        listed = _listed_as_defective(labels)
        for image in list_images(folder):
            found = masks.of(image.stem, split, image)
            is_defective = bool(found) or image.name.casefold() in listed
            samples.append(Sample(image, split, _DEFECT if is_defective else GOOD, found))
    return category_of(root, "dagm", samples, masks.paths)


def _split_folders(root: Path) -> dict[Split, Path]:
    by_name = {folder.name.casefold(): folder for folder in scan(root)[0]}
    return {split: by_name[split] for split in _SPLITS if split in by_name}


def _labels(folder: Path) -> Path | None:
    found = [one for one in scan(folder)[0] if one.name.casefold() == _LABELS]
    return found[0] if found else None


def _listed_as_defective(labels: Path | None) -> set[str]:
    """Return the names of the images that `Labels.txt` calls defective, in lower case.

    A line holds a number, 1 for a defect, the name of the image, and that of its label.
    """
    table = None if labels is None else labels / "Labels.txt"
    if table is None or not table.exists():
        return set()
    try:
        rows = [line.split() for line in table.read_text(encoding="utf-8-sig").splitlines()]
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{table} cannot be read ({error}); restore DAGM's own file.") from error
    return {row[2].casefold() for row in rows if len(row) > 2 and row[1] == "1"}
