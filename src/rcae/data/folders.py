"""Image files in a folder, below it, or matched by a pattern."""

import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from rcae.base.errors import DataError, UsageError
from rcae.data.image_files import IMAGE_SUFFIXES
from rcae.data.result_folders import is_of_results

SYSTEM_NAMES = frozenset(
    {
        "#recycle",
        "#snapshot",
        "$recycle.bin",
        "@eadir",
        "@recycle",
        "__macosx",
        "lost+found",
        "system volume information",
        "thumbs.db",
    }
)
"""Names that storage systems, Windows and macOS give to files and folders of their own, in lower case."""
THUMBNAIL_NAMES = frozenset({"_thumbs", "thumbnails", "thumbs"})
"""Names that viewers give to folders of small copies, in lower case."""


@contextmanager
def unlisted_named() -> Iterator[None]:
    """Turn an OSError of a block or function that lists folders into a DataError.

    Raises:
        DataError: names the path that the system did not let us list.
    """
    try:
        yield
    except OSError as error:
        raise DataError(
            f"{error.filename} cannot be listed ({error.strerror}); check the path, its links "
            "and its permissions."
        ) from error


@unlisted_named()
def scan(folder: Path) -> tuple[list[Path], list[Path]]:
    """Return the folders and the images directly in a folder, each sorted by name, without hidden ones.

    Folders with results of rcae or with thumbnails are left out too, see `is_left_out`.
    An image is recognised by its name alone. A broken link is listed, so that its reader reports it.

    Raises:
        DataError: the folder cannot be listed, or is a link that leads to itself.
    """
    folders: list[Path] = []
    images: list[Path] = []
    with os.scandir(folder) as entries:
        names = sorted(entry.name for entry in entries)
    for path in [folder / name for name in names if not is_hidden(name)]:
        if path.is_dir():
            folders.append(path)
        elif is_image(path):
            images.append(path)
    return [path for path in folders if not is_left_out(path)], images


def list_images(folder: Path) -> list[Path]:
    """Return the images directly in a folder, as `scan` lists them."""
    return scan(folder)[1]


@unlisted_named()
def expand_paths(paths: Sequence[str]) -> list[Path]:
    """Return the image files that files, folders (recursively) and patterns like `*.png` name.

    The order is the given one, sorted within each folder and pattern, without duplicates.
    A file that is named directly is kept whatever its suffix.
    Folders and patterns leave out other suffixes and hidden files.

    Raises:
        UsageError: a path does not exist, or a folder or pattern gives no image.
        DataError: a folder cannot be listed, or its parent cannot be entered.
    """
    unique: dict[Path, Path] = {}
    for text in paths:
        for path in listed(text):
            unique.setdefault(path.absolute(), path)
    return list(unique.values())


def folders_among(paths: Sequence[str]) -> list[Path]:
    """Return the paths that are folders."""
    return [Path(text) for text in paths if Path(text).is_dir()]


def left_out_notes(paths: Sequence[str]) -> list[str]:
    """Return sentences on folders and files in folders that `expand_paths` leaves out."""
    folders = folders_among(paths)
    notes = [
        describe_folders_left_out(left_out, folder)
        for folder in folders
        if (left_out := folders_left_out(folder))
    ]
    others = [path for folder in folders for path in files_below(folder) if not is_image(path)]
    return [*notes, describe_other_files(others)] if others else notes


def absolute(path: Path) -> Path:
    """Return the absolute path without `.` and `..`; links are kept."""
    return Path(os.path.normpath(path.absolute()))


def listed(text: str) -> Iterator[Path]:
    """Yield the image files that a file, a folder or a pattern names, sorted; a pattern may repeat some.

    Memory grows with the largest folder, and with the matches of a pattern.

    Raises:
        UsageError, DataError: see `expand_paths`.
    """
    path = Path(text)
    if os.path.lexists(path) and not path.is_dir():
        yield path
        return
    is_empty = True
    visited: set[Path] = set()
    for match in [path] if path.is_dir() else sorted(_glob(path)):
        for image in _walk(match, visited) if match.is_dir() else filter(is_image, [match]):
            is_empty = False
            yield image
    if is_empty:
        raise UsageError(
            f"{text} {'holds' if path.is_dir() else 'does not exist and matches'} no image; give "
            f"files ({' '.join(sorted(IMAGE_SUFFIXES))}), folders of them, or patterns like "
            "'new/*.png'."
        )


def files_below(root: Path) -> Iterator[Path]:
    """Yield all files below a folder, sorted, in the folders that `scan` lists.

    Links to folders are not followed.
    """
    for folder, _, names in _walked(root):
        yield from (folder / name for name in sorted(names) if not is_hidden(name))


def folders_left_out(root: Path) -> list[Path]:
    """Return the folders below a folder that `scan` leaves out, hidden ones aside, sorted."""
    return sorted(path for _, left_out, _ in _walked(root) for path in left_out)


def _walked(root: Path) -> Iterator[tuple[Path, list[Path], list[str]]]:
    """Yield each folder below a folder, with the folders left out in it and the names of its files."""
    for text, below, names in os.walk(root):
        folder = Path(text)
        visible = [name for name in below if not is_hidden(name)]
        left_out = [folder / name for name in visible if is_left_out(folder / name)]
        below[:] = sorted(set(visible) - {path.name for path in left_out})
        yield folder, left_out, names


def describe_folders_left_out(paths: Iterable[Path], root: Path) -> str:
    """Return a sentence that names folders below a folder that no image is read from."""
    names = ", ".join(f"{path.relative_to(root).as_posix()}/" for path in paths)
    return f"Folders left out, since they hold results of rcae or thumbnails: {names}."


def describe_other_files(paths: Iterable[Path]) -> str:
    """Return a sentence that counts files by their kind, which no image is read from."""
    counts = Counter(path.suffix.lower() or path.name for path in paths)
    kinds = ", ".join(f"{count} {suffix}" for suffix, count in counts.most_common())
    return f"Files left out, since no image is read from them: {kinds}."


def _glob(pattern: Path) -> list[Path]:
    """Return the matches of a pattern, without folders that it does not name and `scan` leaves out.

    `**` follows no links.
    """
    try:
        matches = list(Path(pattern.anchor).glob(str(pattern.relative_to(pattern.anchor))))
    except ValueError as error:
        raise UsageError(
            f"{pattern} is not a pattern ({error}); write it like 'new/*.png'."
        ) from error
    named = {*pattern.parts, ""}
    folders = {path for match in matches for path in match.parents}
    left_out = {path for path in folders if path.name not in named and is_left_out(path)}

    def is_wanted(match: Path) -> bool:
        if match.is_dir() and is_left_out(match):
            return False
        unnamed = [path for path in (match, *match.parents) if path.name not in named]
        return not any(is_hidden(path.name) or path in left_out for path in unnamed)

    return [match for match in matches if is_wanted(match)]


def folders_below(
    folder: Path,
    visited: set[Path] | None = None,
    leave_out: Callable[[Path], bool] = lambda _: False,
) -> Iterator[Path]:
    """Yield a folder and all below that `scan` lists, in order; links are followed.

    Args:
        folder: the first folder.
        visited: places of folders that are not entered again; each folder is added.
        leave_out: tells folders below that are not entered.

    Raises:
        DataError: a folder cannot be listed.
    """
    entered = set() if visited is None else visited
    place = folder.resolve()
    if place in entered:
        return
    entered.add(place)
    yield folder
    for below in scan(folder)[0]:
        if not leave_out(below):
            yield from folders_below(below, entered, leave_out)


def _walk(folder: Path, visited: set[Path]) -> Iterator[Path]:
    """Yield all images below a folder, sorted; links are followed, but no folder is entered twice."""
    place = folder.resolve()
    if place in visited:
        return
    visited.add(place)
    folders, images = scan(folder)
    kept = set(images)
    for path in sorted([*folders, *images]):
        yield from [path] if path in kept else _walk(path, visited)


def is_hidden(name: str) -> bool:
    """Tell whether a file or folder of this name is hidden, or one that a system makes for itself."""
    return name.startswith(".") or name.casefold() in SYSTEM_NAMES


def is_left_out(folder: Path) -> bool:
    """Tell whether a folder holds no images of parts, but results of rcae or thumbnails."""
    return folder.name.casefold() in THUMBNAIL_NAMES or is_of_results(folder)


def is_image(path: Path) -> bool:
    """Tell whether a file is named like an image; hidden ones are not."""
    return path.suffix.lower() in IMAGE_SUFFIXES and not is_hidden(path.name)
