"""Place of a category's images: a folder or a list of files, with what only the user can tell of it."""

import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from rcae.base.errors import UsageError
from rcae.data.folders import absolute
from rcae.data.layouts.mask_reading import MaskReading


@dataclass(frozen=True)
class Folders:
    """Folders of a category by what they hold, for trees that fit no layout; each below the root or not."""

    good: tuple[str, ...] = ()
    """Good images; training takes them."""
    test_good: tuple[str, ...] = ()
    """Good images of the test."""
    defective: tuple[str, ...] = ()
    """Defective images; the name of the folder is the defect type."""
    masks: tuple[str, ...] = ()
    """Masks: folders, or files of COCO annotations."""

    def __bool__(self) -> bool:
        return bool(self.good or self.test_good or self.defective or self.masks)

    @property
    def all(self) -> tuple[str, ...]:
        """All folders that are named."""
        return (*self.good, *self.test_good, *self.defective, *self.masks)


@dataclass(frozen=True)
class DataSource:
    """A category as a user names it."""

    root: Path
    """Folder of the category, or a CSV or JSON file that lists its images."""
    folders: Folders = Folders()
    """Folders by what they hold; empty where the layout tells."""
    masks_inverted: bool = False
    """True if masks are white where the part is good."""
    masks_unturned: bool = False
    """True if masks were drawn on images before EXIF turned them."""

    def __str__(self) -> str:
        return str(self.root)

    @classmethod
    def of(cls, data: "str | Data") -> "DataSource":
        """Return the source that a path names."""
        return data if isinstance(data, DataSource) else cls(Path(data))

    @property
    def read_folders(self) -> tuple[Path, ...]:
        """Folders whose images are read; none for a list of files."""
        if self.folders:
            return tuple(self.place(name) for name in self.folders.all)
        return (self.root,) if self.root.is_dir() else ()

    def place(self, name: str) -> Path:
        """Return the absolute path that a name means: below the root, or else from the current folder.

        Raises:
            UsageError: there is neither.
        """
        for path in (self.root / name, Path(name)):
            if os.path.lexists(path):
                return absolute(path)
        raise UsageError(
            f"{name} is neither in {self.root} nor a path from here; give a folder that exists."
        )

    def mask_reading(self, reading: MaskReading) -> MaskReading:
        """Return how a mask is read that the layout reads in one way."""
        return replace(reading, inverted=self.masks_inverted, unturned=self.masks_unturned)

    def to_plain(self) -> dict[str, Any]:
        """Return root and folders as `run.json` holds them, with absolute paths."""
        folders = {
            kind: [str(self.place(name).resolve()) for name in names]
            for kind, names in asdict(self.folders).items()
        }
        return {"root": str(self.root.resolve()), "folders": folders}

    def with_folders_of(self, plain: Mapping[str, Any] | None) -> "DataSource":
        """Return the source with folders from `to_plain`, if it has the same root and names none itself."""
        if plain is None or self.folders or str(self.root.resolve()) != plain["root"]:
            return self
        return replace(self, folders=Folders(**{k: tuple(v) for k, v in plain["folders"].items()}))


Data = Path | DataSource
"""Type of everything that names a category."""
