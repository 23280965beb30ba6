"""Writing files so that a reader sees the old file or the new one, and saying what the disk refuses."""

import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from rcae.base.errors import StorageError, UsageError


def write_atomically(path: Path, write: Callable[[Path], object]) -> None:
    """Let `write` fill a temporary file beside `path`, then put it in place of `path` in one step.

    The data is on the disk before the name changes, so a crash or a full disk leaves the old file.

    Raises:
        StorageError: the disk is full, read-only or not permitted; the temporary file is removed.
    """
    temporary = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        start = path.name[:50]  # a name may be as long as file names can be
        handle, name = tempfile.mkstemp(prefix=f".{start}.", suffix=".part", dir=path.parent)
        os.close(handle)
        temporary = Path(name)
        write(temporary)
        _flush_to_disk(temporary)
        temporary.chmod(0o644)
        temporary.replace(path)
    except OSError as error:
        raise refused(path, error) from error
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


def write_bytes(path: Path, data: bytes) -> None:
    """Replace `path` by `data` in one step; errors as in `write_atomically`."""
    write_atomically(path, lambda temporary: temporary.write_bytes(data))


def write_text(path: Path, text: str) -> None:
    """Replace `path` by `text` (UTF-8, newlines as given) in one step.

    Bytes of file names that are no text, which Python carries as lone surrogates, are written as
    they are.
    """
    write_bytes(path, text.encode("utf-8", "surrogateescape"))


def write_new(path: Path, data: bytes, mode: int) -> None:
    """Make the file `path`, with these permissions from its first byte on; never over another.

    Raises:
        UsageError: there is something at `path`.
        StorageError: the disk refused; there is nothing at `path` then.
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


def refused(path: Path, error: OSError) -> StorageError:
    """What to raise where the disk did not let us write `path`."""
    return StorageError(
        f"{path} could not be written ({error.strerror or error}); what was there before is "
        "unchanged. Free space or choose another folder, then run the same command again."
    )


@contextmanager
def refusals_named() -> Iterator[None]:
    """What the system refuses inside the block, or the decorated function, and nobody else explains.

    Raises:
        StorageError: names the file, where the system does.
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
