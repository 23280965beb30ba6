"""Real-IAD: the images of a category, and a JSON file beside that lists them."""

from pathlib import Path

from rcae.data.layouts.image_list import read_image_list
from rcae.data.layouts.sample import Category

_FOLDERS = ("OK", "NG")
_LISTS = "realiad_jsons"


def is_real_iad(root: Path) -> bool:
    """Tell Real-IAD by its folders and the list of the category."""
    return any((root / name).is_dir() for name in _FOLDERS) and _list_of(root) is not None


def read_real_iad(root: Path) -> Category:
    """Read `realiad_1024/<category>/` as `realiad_jsons/<category>.json` lists it.

    Raises:
        DataError: the list is missing, unreadable, or names a file that does not exist.
    """
    listed = _list_of(root)
    assert listed is not None
    return read_image_list(listed, root, "real_iad")


def _list_of(root: Path) -> Path | None:
    """Return the list of a category, in or beside the folder of the images."""
    place = root.resolve()
    name = f"{place.name}.json"
    for folder in (place.parent.parent / _LISTS, place.parent / _LISTS):
        for path in (folder / name, folder / _LISTS / name):
            if path.is_file():
                return path
    return None
