"""Access to files by path, only in allowed folders, with symbolic links resolved."""

import os
import stat
from collections.abc import Sequence
from pathlib import Path

from rcae.base.errors import ImageError, UsageError
from rcae.base.text import printable
from rcae.data.image_files import IMAGE_SUFFIXES

_FLAGS = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
"""Flags of `os.open`; Windows has neither."""


class ForbiddenPathError(UsageError):
    """The path is outside the allowed folders; the message reveals nothing about its content."""


def allowed_folders(folders: Sequence[Path]) -> tuple[Path, ...]:
    """Return the folders with all symbolic links resolved.

    Raises:
        UsageError: a path is not a folder.
    """
    for folder in folders:
        if not folder.is_dir():
            raise UsageError(f"--allow {folder} is not a folder; give one that holds images.")
    return tuple(folder.resolve() for folder in folders)


def resolved(path: str, allowed: Sequence[Path]) -> Path:
    """Return the target of a path with all symbolic links resolved, without opening it.

    Raises:
        ForbiddenPathError: the target is outside the allowed folders, or the path is invalid.
    """
    try:
        target = Path(path).resolve()
    except (OSError, RuntimeError, ValueError) as error:  # link loops, long paths, NUL
        raise ForbiddenPathError(f"{printable(path)} is no path.") from error
    if not Path(path).is_absolute() or not any(target.is_relative_to(one) for one in allowed):
        raise ForbiddenPathError(
            f"{printable(path)} does not lie in a folder that this service may read; give an absolute "
            "path in a folder that 'rcae serve' was started with as --allow."
        )
    return target


def read_file(target: Path, most_bytes: int) -> bytes:
    """Read an image file that `resolved` returned.

    Raises:
        ImageError: the file is not regular, has no image suffix, is unreadable, or is too large.
    """
    name = printable(target)
    if target.suffix.lower() not in IMAGE_SUFFIXES:
        raise ImageError(f"{name} is not named like an image ({' '.join(sorted(IMAGE_SUFFIXES))}).")
    try:
        # The flags refuse a link that replaced the file, and do not wait for a pipe's writer.
        handle = os.open(target, _FLAGS)
        with os.fdopen(handle, "rb") as file:
            status = os.fstat(handle)
            if not stat.S_ISREG(status.st_mode):
                raise ImageError(f"{name} is not a file.")
            content = file.read(most_bytes + 1)
    except OSError as error:
        raise ImageError(f"{name} cannot be read ({error.strerror}).") from error
    if len(content) > most_bytes:
        raise ImageError(f"{name} has more than {most_bytes} bytes, the most that is read.")
    return content
