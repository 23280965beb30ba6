"""Model file at the line: the model's name, and a check for changes on disk."""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from rcae.detector.run.run_folder import RunFolder

Known = TypeVar("Known")


class ModelFile:
    """A run folder, its `model.safetensors`, or an exported file."""

    def __init__(self, path: Path) -> None:
        """Hash the present files; call this before the model is loaded, so that no change is missed."""
        self._path = path.resolve()
        self.run = RunFolder(self._path if self._path.is_dir() else self._path.parent)
        self._is_of_run = self._path.is_dir() or self._path == self.run.model
        self._loaded = self._hashes()
        self._seen, self._has_changed = self._stamps(), False

    @property
    def name(self) -> str:
        """Name of the run folder, or of an exported file without its suffix."""
        return self.run.path.name if self._is_of_run else self._path.stem

    @property
    def card(self) -> Path | None:
        """Page of 'rcae card', if there is one."""
        page = self.run.card_page
        return page if self._is_of_run and page.is_file() else None

    @property
    def changed_on_disk(self) -> bool:
        """True if the file's content differs from the loaded content.

        The file is read again only if its time, size or inode changed.
        """
        stamps = self._stamps()
        if stamps != self._seen:
            self._seen, self._has_changed = stamps, self._hashes() != self._loaded
        return self._has_changed

    def _files(self) -> tuple[Path, ...]:
        file = self.run.model if self._path.is_dir() else self._path
        return (file, file.with_suffix(".bin")) if file.suffix == ".xml" else (file,)

    def _hashes(self) -> list[str | None]:
        return [_or_none(_sha256, file) for file in self._files()]

    def _stamps(self) -> list[tuple[int, int, int] | None]:
        return [_or_none(_stamp, file) for file in self._files()]


def _sha256(file: Path) -> str:
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def _stamp(file: Path) -> tuple[int, int, int]:
    status = file.stat()
    return status.st_mtime_ns, status.st_size, status.st_ino


def _or_none(know: Callable[[Path], Known], file: Path) -> Known | None:
    """Return a property of a file, or None while the file is missing."""
    try:
        return know(file)
    except OSError:
        return None
