"""Mask files, found by the names that datasets and labelling tools give them; opens no pixel."""

import unicodedata
from collections import defaultdict
from pathlib import Path

from rcae.data.folders import list_images, scan

MASK_FOLDERS = frozenset({"ground_truth", "mask", "masks"})
"""Names of the folders that hold masks, in lower case."""
MARKS = ("_mask", "_gt", "_label")
"""Suffixes that make an image's name that of its mask, in lower case."""


class MaskFiles:
    """All masks of a category, by the defect type and the name of their image.

    Names count without letter case, and alike in both forms of Unicode: a Mac writes an umlaut as two
    characters.
    """

    def __init__(self) -> None:
        self.paths: list[Path] = []
        self._of: dict[tuple[str, str], list[Path]] = defaultdict(list)

    @classmethod
    def below(cls, root: Path) -> "MaskFiles":
        """List the masks in the mask folders of `root`.

        A mask lies directly in the mask folder, in a folder of its defect type, or there in a folder of its
        image (MVTec LOCO).
        """
        files = cls()
        for parent in (folder for folder in scan(root)[0] if is_mask_folder(folder)):
            types, unsorted = scan(parent)
            for mask in unsorted:
                files.add("", mask)
            for folder in types:
                of_images, masks = scan(folder)
                for mask in masks:
                    files.add(folder.name, mask)
                for of_image in of_images:
                    for mask in list_images(of_image):
                        files.add(folder.name, mask, of_image.name)
        return files

    def add(self, defect_type: str, mask: Path, image_name: str | None = None) -> None:
        """Add a mask of an image of a type; "" stands for any type, and None for the mask's own name."""
        self.paths.append(mask)
        names = {image_name} if image_name is not None else {mask.stem, _without_mark(mask.stem)}
        for name in names:
            self._of[_key(defect_type), _key(name)].append(mask)

    def of(self, image: Path, defect_type: str) -> tuple[Path, ...]:
        """Return the masks of an image, sorted; often one or none."""
        found = {
            *self._of.get((_key(defect_type), _key(image.stem)), ()),
            *self._of.get(("", _key(image.stem)), ()),
        }
        return tuple(sorted(found))

    def images_in(self, folder: Path, defect_type: str) -> list[Path]:
        """Return the images of a folder, and add the masks among them, like `7_GT.png` beside `7.jpg`."""
        listed = list_images(folder)
        names = {_key(path.stem) for path in listed}
        images = []
        for path in listed:
            name = _key(path.stem)
            if _without_mark(name) in names - {name}:
                self.add(defect_type, path)
            else:
                images.append(path)
        return images


def is_mask_folder(folder: Path) -> bool:
    """Tell whether a folder holds masks, by its name."""
    return _key(folder.name) in MASK_FOLDERS


def _without_mark(name: str) -> str:
    """Return the name of the image that a mask of this name belongs to."""
    for mark in MARKS:
        if name.lower().endswith(mark):
            return name[: -len(mark)]
    return name


def _key(name: str) -> str:
    return unicodedata.normalize("NFC", name).casefold()
