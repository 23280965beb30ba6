"""Pictures of inspected images, kept beside the record; the oldest go first at a limit or on a full disk."""

import heapq
import io
import os
import re
import shutil
import time
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import numpy as np
from filelock import FileLock, Timeout

from rcae.base.arrays import Array
from rcae.base.errors import StorageError
from rcae.base.storage import write_bytes
from rcae.line.record.inspection import ID, Inspection

SPARE_SHARE = 0.05
"""Share of the limit that is freed at once, so that the folder is rarely scanned."""
DELETED_AT_ONCE = 100_000
RESERVE_BYTES = 256 * 2**20
"""Space on the disk that pictures leave to the record (our choice)."""
RESERVE_SPARE_BYTES = RESERVE_BYTES // 4
"""Space that is freed beyond the reserve, so that the folder is rarely scanned on a full disk."""
LOCK_TIMEOUT_S = 10

_OUR_FOLDER = re.compile("[0-9a-f]{2}")
_OUR_FILE = re.compile(rf"\.?{ID.pattern}\.zip(\..*\.part)?")
"""Names of files that are counted or deleted.

A leading dot marks a file that is being written, or that a killed process left.
"""
_DAMAGED = (OSError, EOFError, RuntimeError, zipfile.BadZipFile, zlib.error, LookupError)
"""Exceptions that `zipfile` raises on a damaged file, depending on the place of the damage.

RuntimeError means that the file looks encrypted, or written by a newer version.
"""
_IMAGE = "image"
_MAP = "working_map.npy"


class KeptImageError(StorageError):
    """A kept picture is damaged or unreadable; the record is not affected."""


class _File(NamedTuple):
    """A kept file; the tuple order is the order of deletion."""

    written_ns: int
    path: str
    size: int


class KeptImages:
    """Folder with one zip file per kept inspection: the image file as it arrived and its working map.

    A file is named by the inspection's id alone. Files may vanish at any time, by the limit or by a
    person; the record stays.
    The oldest also go if less than RESERVE_BYTES are free, so that pictures never starve the record.
    Several processes may share a folder. The file `total` holds its size, and a writer holds the lock
    `total.lock`.
    Modification times strictly increase, even if the clock is set back. `total` has the time of the
    last file.
    """

    def __init__(self, folder: Path, limit_mib: float) -> None:
        """Keep at most `limit_mib` in `folder`, which is created with the first picture; 0 keeps nothing."""
        self._folder = folder
        self._limit_bytes = int(limit_mib * 2**20)

    def keep(self, inspection: Inspection, image: bytes, working_map: Array) -> None:
        """Keep the image and its map, and delete the oldest files above the limit or on a full disk.

        Raises:
            StorageError: the disk refused or has no more than the reserve, or another process holds the
                lock for long. No partial file stays.
        """
        file = self._file(inspection.id)
        content = _packed(image, working_map)
        if len(content) > self._limit_bytes:
            return
        with self._explained():
            self._folder.mkdir(parents=True, exist_ok=True)
            with self._lock():
                total, last_ns = self._total(), self._last_ns()
                if total is None or self._is_full(total, len(content)):
                    total = self._make_room(len(content))
                    self._require_reserve(len(content))
                    last_ns = max((one.written_ns for one in self._all()), default=0)
                now_ns = max(time.time_ns(), last_ns + 1)
                # The total is written first: after a crash it is too large, and the next scan corrects it.
                (self._folder / "total").write_text(str(total + len(content)), encoding="ascii")
                write_bytes(file, content)
                for written in (file, self._folder / "total"):
                    os.utime(written, ns=(now_ns, now_ns))

    def keep_reserve(self) -> None:
        """Delete the oldest pictures if less than the reserve is free; call this before recording.

        Raises:
            StorageError: the disk refused, or another process holds the lock for long.
        """
        with self._explained():
            if self._folder.is_dir() and self._missing_bytes():
                with self._lock():
                    total = self._make_room(0)
                    (self._folder / "total").write_text(str(total), encoding="ascii")

    @property
    def has_reserve(self) -> bool:
        """False if less than the reserve is free, so that no pictures are kept and the record may be next."""
        return not self._missing_bytes()

    def image(self, inspection_id: str) -> bytes | None:
        """Return the file as it arrived, or None if it is no longer kept.

        Raises:
            KeptImageError: the kept file is damaged or unreadable.
        """
        return self._member(inspection_id, _IMAGE)

    def working_map(self, inspection_id: str) -> Array | None:
        """Return the anomaly map at working size, `Detection.working_map`; see `image` for the rest."""
        content = self._member(inspection_id, _MAP)
        if content is None:
            return None
        try:
            drawn: Array = np.load(io.BytesIO(content), allow_pickle=False)
        except ValueError as error:
            raise self._damaged(inspection_id, error) from error
        return drawn

    def _file(self, inspection_id: str) -> Path:
        """Return the path of an inspection's file; 256 subfolders keep each folder short."""
        if not ID.fullmatch(inspection_id):
            raise ValueError(f"{inspection_id!r} is not the id of an inspection.")
        return self._folder / inspection_id[:2] / f"{inspection_id}.zip"

    def _member(self, inspection_id: str, name: str) -> bytes | None:
        file = self._file(inspection_id)
        try:
            with zipfile.ZipFile(file) as pack:
                return pack.read(name)
        except FileNotFoundError:
            return None
        except _DAMAGED as error:
            raise self._damaged(inspection_id, error) from error

    def _damaged(self, inspection_id: str, error: Exception) -> KeptImageError:
        return KeptImageError(
            f"{self._file(inspection_id)} cannot be read ({str(error) or type(error).__name__}); check "
            "the disk, or delete this file: only a picture is lost."
        )

    def _lock(self) -> FileLock:
        return FileLock(self._folder / "total.lock", timeout=LOCK_TIMEOUT_S, poll_interval=0.005)

    def _total(self) -> int | None:
        """Read an upper bound of the folder's size in bytes; return None if it must be counted."""
        try:
            return int((self._folder / "total").read_text(encoding="ascii"))
        except (FileNotFoundError, ValueError):
            return None

    def _last_ns(self) -> int:
        """Return the modification time of the last file, or 0 without one."""
        try:
            return (self._folder / "total").stat().st_mtime_ns
        except FileNotFoundError:
            return 0

    @contextmanager
    def _explained(self) -> Iterator[None]:
        """Turn what the disk or the lock refuses inside the block into a StorageError."""
        try:
            yield
        except Timeout as error:
            raise StorageError(
                f"{error.lock_file} is held by another program for more than {LOCK_TIMEOUT_S} s; end it."
            ) from error
        except OSError as error:
            raise StorageError(
                f"{self._folder} cannot be written ({error.strerror or error}); free space, or let this "
                "user write there."
            ) from error

    def _missing_bytes(self, needed: int = 0) -> int:
        """Return how much less than the reserve is free on the disk once `needed` bytes are written."""
        place = self._folder if self._folder.is_dir() else self._folder.absolute().parent
        return max(0, RESERVE_BYTES + needed - shutil.disk_usage(place).free)

    def _is_full(self, total: int, needed: int) -> bool:
        return total + needed > self._limit_bytes or self._missing_bytes(needed) > 0

    def _require_reserve(self, needed: int) -> None:
        if self._missing_bytes(needed):
            raise StorageError(
                f"the disk of {self._folder} has less than {RESERVE_BYTES // 2**20} MiB left, which are "
                "reserved for the record; free space there."
            )

    def _make_room(self, needed: int) -> int:
        """Delete the oldest files until `needed` bytes fit, with some to spare; return the counted total.

        The space to free is counted by the sizes of the files, because a disk may free it later.
        """
        allowed = self._limit_bytes - max(needed, int(self._limit_bytes * SPARE_SHARE))
        total = sum(file.size for file in self._all())
        if missing := self._missing_bytes(needed):
            allowed = min(allowed, total - missing - RESERVE_SPARE_BYTES)
        while total > max(allowed, 0):
            for file in heapq.nsmallest(DELETED_AT_ONCE, self._all()):
                if total <= allowed:
                    break
                Path(file.path).unlink(missing_ok=True)
                total -= file.size
            total = sum(file.size for file in self._all())
        return total

    def _all(self) -> Iterator[_File]:
        for folder in _entries(self._folder, _OUR_FOLDER):
            for file in _entries(Path(folder.path), _OUR_FILE):
                try:
                    status = file.stat(follow_symlinks=False)
                except FileNotFoundError:
                    continue  # deleted by hand
                yield _File(status.st_mtime_ns, file.path, status.st_size)


def _entries(folder: Path, names: re.Pattern[str]) -> Iterator[os.DirEntry[str]]:
    with os.scandir(folder) as entries:
        yield from (entry for entry in entries if names.fullmatch(entry.name))


def _packed(image: bytes, working_map: Array) -> bytes:
    drawn, packed = io.BytesIO(), io.BytesIO()
    np.save(drawn, working_map, allow_pickle=False)
    with zipfile.ZipFile(packed, "w") as pack:
        pack.writestr(_IMAGE, image)  # stored, because image files are compressed already
        pack.writestr(_MAP, drawn.getvalue(), zipfile.ZIP_DEFLATED)
    return packed.getvalue()
