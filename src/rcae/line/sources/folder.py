"""Search of a folder tree for complete image files that are not inspected yet."""

import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from rcae.base.errors import ImageError, StorageError, UsageError
from rcae.base.progress import say
from rcae.base.text import printable
from rcae.data.folders import is_hidden
from rcae.data.image_files import IMAGE_SUFFIXES

SETTLE_S = 1.0
"""Debounce time (our choice): a file unchanged for so long is complete if it can be decoded."""
TRY_AGAIN_S = 5.0
GIVE_UP_S = 60.0
"""Time without a change after which an unreadable file is ignored until it changes."""
LARGEST_BYTES = 512 * 1024 * 1024
"""Largest file size (our choice), above that of the largest image that is decoded."""

_NEVER = float("inf")
_OPEN_FLAGS = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
"""Flags against a file that was replaced by a link or a pipe after it was found."""

Stamp = tuple[int, int, int]


@dataclass
class WaitingFile:
    """A file that was found, and its state."""

    path: str
    stamp: Stamp
    unchanged_since: float
    try_at: float
    """Time of the next attempt by the same clock; infinity once the file is done."""


class Folder:
    """Folder with a memory of its files, so that a file is read again only after a change.

    The folder is listed repeatedly, because network shares send no change events (our choice).
    Symbolic links, hidden names and those of the system, like `@eaDir`, are left out.
    Only a monotonic clock is used, and file times are compared only for equality.
    """

    def __init__(self, path: Path, now: Callable[[], float] = time.monotonic) -> None:
        """Take an existing folder.

        Raises:
            UsageError: `path` does not exist, or is no folder.
        """
        if not path.is_dir():
            raise UsageError(f"{path} is not a folder; give the folder that images are written to.")
        self._path = path.absolute()
        self._now = now
        self._files: dict[str, WaitingFile] = {}
        self._closed_to_us: set[str] = set()

    def settled(self) -> list[WaitingFile]:
        """List the folder once and return the files to read now, oldest first.

        Raises:
            StorageError: the folder itself cannot be listed at the moment.
        """
        now = self._now()
        found: dict[str, WaitingFile] = {}
        for path, stamp in self._listed():
            file = self._files.get(path)
            if file is None or file.stamp != stamp:
                file = WaitingFile(path, stamp, now, now + SETTLE_S)
            found[path] = file
        self._files = found
        ready = [file for file in found.values() if file.try_at <= now]
        return sorted(ready, key=lambda file: (file.stamp[0], file.path))

    def is_given_up(self, file: WaitingFile) -> bool:
        """Record a failed read; return True if it was the last attempt until the file changes."""
        is_late = self._now() - file.unchanged_since >= GIVE_UP_S
        file.try_at = _NEVER if is_late else self._now() + TRY_AGAIN_S
        return is_late

    def _listed(self) -> Iterator[tuple[str, Stamp]]:
        folders = [str(self._path)]
        while folders:
            folder = folders.pop()
            try:
                with os.scandir(folder) as entries:
                    for entry in entries:
                        if is_hidden(entry.name):
                            continue
                        if entry.is_dir(follow_symlinks=False):
                            folders.append(entry.path)
                        elif _is_image(entry):
                            yield from _stamped(entry.path)
            except OSError as error:
                self._cannot_list(folder, error)
            else:
                self._closed_to_us.discard(folder)

    def _cannot_list(self, folder: str, error: OSError) -> None:
        reason = f"{printable(folder)} cannot be listed ({error.strerror or error})"
        if folder == str(self._path):
            raise StorageError(f"{reason}.") from error
        if folder not in self._closed_to_us and not isinstance(error, FileNotFoundError):
            self._closed_to_us.add(folder)
            say(f"{reason}; its images are inspected once it can be.")


def mark_done(file: WaitingFile) -> None:
    """Ignore the file until it changes."""
    file.try_at = _NEVER


def read_settled(file: WaitingFile) -> bytes | None:
    """Return the content, or None if the file is gone or has changed since it was listed.

    Raises:
        ImageError: the file may not be read, the disk fails, or it is too large to be an image.
    """
    if file.stamp[1] > LARGEST_BYTES:
        raise ImageError(
            f"{printable(file.path)} has {file.stamp[1]} bytes; an image has at most {LARGEST_BYTES}."
        )
    try:
        with open(file.path, "rb", opener=_without_traps) as content:
            if _stamp(os.fstat(content.fileno())) != file.stamp:
                return None
            read = content.read()
            return read if _stamp(os.fstat(content.fileno())) == file.stamp else None
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ImageError(
            f"{printable(file.path)} cannot be read ({error.strerror or error})."
        ) from error


def _without_traps(path: str, flags: int) -> int:
    return os.open(path, flags | _OPEN_FLAGS)


def _is_image(entry: os.DirEntry[str]) -> bool:
    suffix = os.path.splitext(entry.name)[1].lower()  # noqa: PTH122
    return suffix in IMAGE_SUFFIXES and entry.is_file(follow_symlinks=False)


def _stamped(path: str) -> Iterator[tuple[str, Stamp]]:
    """Yield the path and its stamp; yield nothing if the file is gone."""
    try:
        yield path, _stamp(os.lstat(path))
    except FileNotFoundError:
        return


def _stamp(status: os.stat_result) -> Stamp:
    """Return the modification time, the size, and the change time (a rename, permissions)."""
    return status.st_mtime_ns, status.st_size, status.st_ctime_ns
