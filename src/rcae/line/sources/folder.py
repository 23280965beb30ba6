"""Search of a folder tree for complete image files that are not inspected yet."""

import os
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from rcae.base.errors import ImageError, StorageError, UsageError
from rcae.base.progress import say
from rcae.base.text import printable
from rcae.data.folders import is_hidden
from rcae.data.image_files import IMAGE_SUFFIXES
from rcae.line.sources.completeness import Doubt, ends_in_zeros, is_open_for_writing

SETTLE_S = 1.0
"""Default of the debounce time (our choice): a file that changed within it may be incomplete."""
SETTLES_OF_ZEROS = 10
"""Debounce times that a file must stay unchanged if it ends in zeros (our choice)."""
LIVE_CHANGES = 3
"""Changes in a row, none of them growth, by which a file is a live image instead of one on its way."""
QUIET_S = 0.1
"""Time for which a live image must stay unchanged after it was read (our choice)."""
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
    restless_since: float
    """Time of the first change of those that followed one another within the debounce time."""
    seen_at: float
    """Time of the last look that found this stamp."""
    changes: int = 0
    """Number of these changes that did not make the file longer."""

    @property
    def is_live(self) -> bool:
        """True for an image that is rewritten in place without a pause."""
        return self.changes >= LIVE_CHANGES


class Folder:
    """Folder with a memory of its files, so that a file is read again only after a change.

    The folder is listed repeatedly, because network shares send no change events (our choice).
    Symbolic links, hidden names and those of the system, like `@eaDir`, are left out.
    Only a monotonic clock is used, and file times are compared only for equality.

    A complete file has not changed for the debounce time, and no program is known to have it open for
    writing. Its tail is not all zeros, or it has not changed for ten debounce times.
    An image that is rewritten without such a pause is read in between, as soon as it is quiet.
    A writer of another machine or user that pauses for longer cannot be seen.
    """

    def __init__(
        self,
        path: Path,
        now: Callable[[], float] = time.monotonic,
        *,
        settle_s: float = SETTLE_S,
        excluded: Sequence[str] = (),
    ) -> None:
        """Take an existing folder.

        Args:
            path: Folder to list, with all folders below it.
            now: Monotonic clock, in seconds.
            settle_s: Debounce time.
            excluded: Patterns like `*_preview.png` or `archive/*`; a file or folder is left out if its
                name matches, or its path below `path`.

        Raises:
            UsageError: `path` does not exist, or is no folder.
        """
        if not path.is_dir():
            raise UsageError(f"{path} is not a folder; give the folder that images are written to.")
        self._path = path.absolute()
        self._now = now
        self._settle_s = settle_s
        self._excluded = tuple(excluded)
        self._files: dict[str, WaitingFile] = {}
        self._closed_to_us: set[str] = set()
        self._said: set[str] = set()
        self.overwritten = 0
        """Number of states of live images that were seen, but overwritten before they were read."""

    def settled(self) -> list[WaitingFile]:
        """List the folder once and return the files to read now, oldest first.

        Raises:
            StorageError: the folder itself cannot be listed at the moment.
        """
        now = self._now()
        found: dict[str, WaitingFile] = {}
        for path, stamp in self._listed():
            file = self._files.get(path)
            if file is None:
                file = WaitingFile(path, stamp, now, now + self._settle_s, now, now)
            elif file.stamp != stamp:
                file = self._changed(file, stamp, now)
            file.seen_at = now
            found[path] = file
        self._files = found
        self._said &= found.keys()
        ready = [file for file in found.values() if file.try_at <= now]
        return sorted(ready, key=lambda file: (file.stamp[0], file.path))

    def read(self, file: WaitingFile, wait: Callable[[float], object]) -> bytes | None:
        """Return the content; or None if the file is gone, or is not complete and is tried again.

        Args:
            file: One of the last `settled`.
            wait: Function that waits some seconds; it is called for live images.

        Raises:
            ImageError: see `read_settled`.
        """
        content = read_settled(file)
        if isinstance(content, bytes):
            content = self._doubted(file, content, wait)
        if isinstance(content, Doubt):
            self._say_what_waits(file, content)
            return None
        return content

    def is_given_up(self, file: WaitingFile) -> bool:
        """Record a failed read; return True if it was the last attempt until the file changes."""
        is_late = self._now() - file.unchanged_since >= GIVE_UP_S
        file.try_at = _NEVER if is_late else self._now() + TRY_AGAIN_S
        return is_late

    def _changed(self, file: WaitingFile, stamp: Stamp, now: float) -> WaitingFile:
        """Return the next state of a file: another part, or the same one that is still being written."""
        changed = WaitingFile(file.path, stamp, now, now + self._settle_s, now, now)
        if file.seen_at - file.unchanged_since < self._settle_s:
            changed.restless_since = file.restless_since
            changed.changes = file.changes + (stamp[1] <= file.stamp[1])
            if changed.is_live and now - changed.restless_since >= self._settle_s:
                changed.try_at = now
                self.overwritten += file.try_at != _NEVER
        return changed

    def _doubted(
        self, file: WaitingFile, content: bytes, wait: Callable[[float], object]
    ) -> bytes | Doubt:
        """Return the content, or the doubt that it is complete."""
        accepted_at = file.unchanged_since + SETTLES_OF_ZEROS * self._settle_s
        if ends_in_zeros(content) and self._now() < accepted_at:
            file.try_at = accepted_at
            return Doubt.ZEROS
        if file.is_live and self._now() < file.unchanged_since + self._settle_s:
            wait(QUIET_S)
            if next(_stamped(file.path), None) != (file.path, file.stamp):
                return Doubt.CHANGES
            self._say_once(
                file, "is rewritten again and again; its newest state is inspected, not every one."
            )
        return content

    def _say_what_waits(self, file: WaitingFile, doubt: Doubt) -> None:
        if self._now() - file.restless_since >= GIVE_UP_S:
            self._say_once(
                file, f"is not inspected yet: {doubt}. Write under another name, then rename it."
            )

    def _say_once(self, file: WaitingFile, what: str) -> None:
        if file.path not in self._said:
            self._said.add(file.path)
            say(f"{printable(file.path)} {what}")

    def _is_left_out(self, entry: os.DirEntry[str]) -> bool:
        below = Path(entry.path).relative_to(self._path).as_posix() if self._excluded else ""
        return is_hidden(entry.name) or any(
            fnmatchcase(name, pattern) for pattern in self._excluded for name in (entry.name, below)
        )

    def _listed(self) -> Iterator[tuple[str, Stamp]]:
        folders = [str(self._path)]
        while folders:
            folder = folders.pop()
            try:
                with os.scandir(folder) as entries:
                    for entry in entries:
                        if self._is_left_out(entry):
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


def read_settled(file: WaitingFile) -> bytes | Doubt | None:
    """Return the content; a doubt if the file has changed or is being written; None if it is gone.

    Raises:
        ImageError: the file may not be read, the disk fails, or it is too large to be an image.
    """
    if file.stamp[1] > LARGEST_BYTES:
        raise ImageError(
            f"{printable(file.path)} has {file.stamp[1]} bytes; an image has at most {LARGEST_BYTES}."
        )
    try:
        with open(file.path, "rb", opener=_without_traps) as content:
            if is_open_for_writing(content.fileno()):
                return Doubt.OPEN
            if _stamp(os.fstat(content.fileno())) != file.stamp:
                return Doubt.CHANGES
            read = content.read()
            return read if _stamp(os.fstat(content.fileno())) == file.stamp else Doubt.CHANGES
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
