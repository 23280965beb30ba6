"""Atomic file writes, and errors that say what the disk refused."""

import os
import secrets
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from rcae.base.errors import StorageError, UsageError


def write_atomically(path: Path, write: Callable[[Path], object]) -> None:
    """Let `write` fill a temporary file beside `path`, then rename it to `path` atomically.

    The data is flushed to disk before the rename, so a crash or a full disk leaves the old file.
    The permissions are those of a new file under the umask.

    Raises:
        StorageError: the disk is full, read-only or not permitted; the temporary file is removed.
    """
    temporary = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        start = path.name[:50]  # the name may already have the longest length allowed
        beside = path.parent / f".{start}.{secrets.token_hex(6)}.part"
        os.close(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666))
        temporary = beside
        write(temporary)
        _flush_to_disk(temporary)
        temporary.replace(path)
    except OSError as error:
        raise refused(path, error) from error
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


def write_bytes(path: Path, data: bytes) -> None:
    """Replace `path` by `data` atomically; errors are those of `write_atomically`."""
    write_atomically(path, lambda temporary: temporary.write_bytes(data))


def write_text(path: Path, text: str) -> None:
    """Replace `path` by `text` (UTF-8, newlines as given) atomically.

    Undecodable bytes of file names, which Python carries as lone surrogates, are written unchanged.
    """
    write_bytes(path, text.encode("utf-8", "surrogateescape"))


def write_new(path: Path, data: bytes, mode: int) -> None:
    """Create the file `path` with these permissions from its first byte; never overwrite a file.

    Raises:
        UsageError: `path` already exists.
        StorageError: the disk refused; `path` does not exist then.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    except FileExistsError as error:
        raise UsageError(
            f"{error.filename} already exists and is never overwritten; choose another -o file."
        ) from error
    except OSError as error:
        raise refused(path, error) from error
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        _flush_to_disk(path)
    except OSError as error:
        path.unlink()
        raise refused(path, error) from error


def require_private(path: Path) -> None:
    """Refuse a file with a secret that every user of this machine may read; Windows has no such mode.

    Raises:
        UsageError: others may read it.
        OSError: it is not there.
    """
    if os.name == "posix" and path.stat().st_mode & stat.S_IROTH:
        raise UsageError(
            f"{path} holds a secret that every user of this machine may read; run: chmod o-rwx {path}"
        )


def refused(path: Path, error: OSError) -> StorageError:
    """Return the error for a `path` that the disk did not let us write."""
    return StorageError(
        f"{path} could not be written ({error.strerror or error}); what was there before is "
        "unchanged. Free space or choose another folder, then run the same command again."
    )


@contextmanager
def refusals_named() -> Iterator[None]:
    """Turn an OSError inside the block, or the decorated function, into a StorageError.

    Raises:
        StorageError: names the file if the system does.
    """
    try:
        yield
    except OSError as error:
        raise StorageError(
            f"{error.filename or 'a file or the output'} could not be read or written "
            f"({error.strerror or error}); check its name, its permissions and the space left, then run the "
            "same command again."
        ) from error


def _flush_to_disk(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())
