"""Memory of inspected files in the record, so that a restart does not read them again."""

import hashlib
from collections.abc import Sequence

from rcae.line.record.record import Record
from rcae.line.sources.folder import WaitingFile, mark_done


class KnownFiles:
    """Files that the model of a name has inspected, by path, size and times.

    A file whose size or times differ is read, and its content decides. `unknown` and `save` raise the
    StorageError of the record.
    """

    def __init__(self, model: str, record: Record) -> None:
        self._model, self._record = model, record
        self._unsaved: dict[str, str] = {}

    def unknown(self, files: Sequence[WaitingFile]) -> list[WaitingFile]:
        """Return the files to read; the others are marked as done."""
        known = self._record.known_files([self._place(file) for file in files])
        found = []
        for file in files:
            if known.get(self._place(file)) == _text(file):
                mark_done(file)
            else:
                found.append(file)
        return found

    def note(self, file: WaitingFile) -> None:
        """Mark a file as done whose content is in the record; the next `save` remembers it."""
        self._unsaved[self._place(file)] = _text(file)
        mark_done(file)

    def save(self) -> None:
        """Write to the record what was noted; after a crash before it, these files are read once more."""
        if self._unsaved:
            self._record.note_files(self._unsaved)
            self._unsaved = {}

    def _place(self, file: WaitingFile) -> str:
        key = f"{self._model}\n{file.path}".encode(errors="surrogateescape")
        return hashlib.sha256(key).hexdigest()


def _text(file: WaitingFile) -> str:
    return "-".join(map(str, file.stamp))
