"""The file a model at the line was loaded from: its name there, and whether it is still the same."""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from rcae.detector.run.run_folder import RunFolder

Known = TypeVar("Known")


class ModelFile:
    """A run folder, its `model.safetensors`, or an exported file."""

    def __init__(self, path: Path) -> None:
        """Note what is there now; make it before the model is loaded, so that no change is missed."""
        self._path = path.resolve()
        self.run = RunFolder(self._path if self._path.is_dir() else self._path.parent)
        self._is_of_run = self._path.is_dir() or self._path == self.run.model
        self._loaded = self._hashes()
        self._seen, self._has_changed = self._stamps(), False

    @property
    def name(self) -> str:
        """Of the run folder, or of an exported file without its suffix."""
        return self.run.path.name if self._is_of_run else self._path.stem

    @property
    def card(self) -> Path | None:
        """The page that 'rcae card' made, if there is one."""
        page = self.run.card_page
        return page if self._is_of_run and page.is_file() else None

    @property
    def changed_on_disk(self) -> bool:
        """Whether the file holds something else than was loaded; read again only when it looks so."""
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
    """What can be known of a file; None while it is not there."""
    try:
        return know(file)
    except OSError:
        return None
