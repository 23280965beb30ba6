"""Mask files, found by the names that datasets and labelling tools give them; opens no pixel."""

import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path

from rcae.data.annotations.annotation import (
    entry_of,
    is_named_like_one,
    is_of_many_images,
    is_of_one_image,
)
from rcae.data.folders import folders_below, is_hidden, list_images, scan

MASK_FOLDERS = frozenset({"ground_truth", "mask", "masks"})
"""Names of the folders that hold masks, in lower case."""
ANNOTATION_FOLDERS = frozenset({"annotations", "labels"})
"""Names of the folders that hold masks unless there are images in them, in lower case."""
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
        self._of_many: list[Path] = []
        self._nested: Counter[Path] = Counter()

    @classmethod
    def below(cls, *parents: Path) -> "MaskFiles":
        """List the masks in the mask folders of some folders, and COCO files in them."""
        files = cls()
        for parent in parents:
            for file in _annotations_in(parent):
                if is_of_many_images(file):
                    files.add_of_many(file)
            for folder in filter(is_mask_folder, scan(parent)[0]):
                files.add_folder(folder)
        return files

    def add_folder(self, folder: Path, defect_type: str = "", below: Path = Path()) -> None:
        """Add the masks below a mask folder.

        A mask lies directly in it, in a folder of its defect type, or there in a folder of its image
        (MVTec LOCO). Folders in folders of a type have the same names here.

        Args:
            folder: the mask folder.
            defect_type: the type of all masks in it; "" stands for any type.
            below: place of its images, below the folder of their type.
        """
        for mask in _masks_below(folder):
            if is_named_like_one(mask) and is_of_many_images(mask):
                self.add_of_many(mask)
                continue
            self.paths.append(mask)
            place = below / mask.relative_to(folder).parent
            self._add(defect_type, place, mask)
            if not defect_type and place.parts:
                self._add(place.parts[0], place.relative_to(place.parts[0]), mask)

    def add_of_many(self, file: Path) -> None:
        """Add a file with the annotations of many images."""
        self._of_many.append(file)

    def _add_beside(self, defect_type: str, place: Path, mask: Path) -> None:
        self.paths.append(mask)
        self._add(defect_type, place, mask)

    def _add(self, defect_type: str, place: Path, mask: Path) -> None:
        names = {place / mask.stem, place / without_mark(mask.stem)}
        if len(place.parts) > (0 if defect_type else 1):  # a folder of the image
            names.add(place)
        for name in names:
            self._of[_key(defect_type), _key(name.as_posix())].append(mask)

    def of(self, name: str, defect_type: str, image: Path) -> tuple[Path, ...]:
        """Return the masks of an image, sorted; often one or none.

        Args:
            name: the image's path below the folder of its type, without suffix.
            defect_type: its type.
            image: its file.
        """
        found = {
            *self._of.get((_key(defect_type), _key(name)), ()),
            *self._of.get(("", _key(name)), ()),
            *(file for file in self._of_many if entry_of(file, image) is not None),
        }
        return tuple(sorted(found))

    def images_in(self, folder: Path, defect_type: str) -> list[Path]:
        """Return the images of a folder, and add the masks among them, like `7_GT.png` beside `7.jpg`."""
        return self._images_in(folder, defect_type, Path())

    def images_below(self, folder: Path, defect_type: str) -> list[Path]:
        """Return the images of a folder and of all folders below, and add the masks among them."""
        images = []
        for entered in folders_below(folder, leave_out=is_mask_folder):
            place = entered.relative_to(folder)
            found = self._images_in(entered, defect_type, place)
            if place.parts and found:
                self._nested[folder] += len(found)
            images += found
            for masks in filter(is_mask_folder, scan(entered)[0]):
                self.add_folder(masks, defect_type, place)
        return images

    def _images_in(self, folder: Path, defect_type: str, place: Path) -> list[Path]:
        listed = list_images(folder)
        names = {_key(path.stem) for path in listed}
        images = []
        for path in listed:
            name = _key(path.stem)
            if without_mark(name) != name and without_mark(name) in names:
                self._add_beside(defect_type, place, path)
            else:
                images.append(path)
        for file in _annotations_in(folder):
            if _key(file.stem) in names and is_of_one_image(file):
                self._add_beside(defect_type, place, file)
            elif is_of_many_images(file):
                self.add_of_many(file)
        return images

    def notes(self, root: Path) -> Iterator[str]:
        """Yield a remark on images that were found in folders of folders."""
        if self._nested:
            places = ", ".join(
                f"{count} below {folder.relative_to(root).as_posix()}/"
                for folder, count in self._nested.items()
            )
            yield f"Images in folders of folders are used too: {places}."


def is_mask_folder(folder: Path) -> bool:
    """Tell whether a folder holds masks: by its name, or as a folder of annotations without images."""
    name = _key(folder.name)
    if name in ANNOTATION_FOLDERS:
        return not any(list_images(place) for place in folders_below(folder))
    return name in MASK_FOLDERS


def nested_name(image: Path, folder: Path) -> str:
    """Return the path of an image below a folder, without suffix."""
    return (image.relative_to(folder).parent / image.stem).as_posix()


def _masks_below(folder: Path) -> Iterator[Path]:
    for place in folders_below(folder):
        yield from list_images(place)
        for file in _annotations_in(place):
            if is_of_one_image(file) or is_of_many_images(file):
                yield file


def _annotations_in(folder: Path) -> list[Path]:
    return sorted(
        path for path in folder.iterdir() if is_named_like_one(path) and not is_hidden(path.name)
    )


def without_mark(name: str) -> str:
    """Return the name of the image that a mask of this name belongs to."""
    for mark in MARKS:
        if name.lower().endswith(mark):
            return name[: -len(mark)]
    return name


def _key(name: str) -> str:
    return unicodedata.normalize("NFC", name).casefold()
