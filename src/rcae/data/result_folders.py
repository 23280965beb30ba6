"""Folders that hold results of rcae, recognised by their files: their pictures are no images of parts."""

from collections.abc import Iterable
from pathlib import Path

from rcae.base.errors import UsageError

_FILES = (
    ("run.json", "settings.toml"),
    ("predictions.csv", "predictions.jsonl"),
    ("metrics.json", "scores.csv"),
    ("comparison.json", "changes.csv"),
    ("drift.json", "drift.png"),
)
"""Files that mark a folder: a run, and the results of `predict`, `evaluate`, `compare` and `monitor`."""
_CELLS = "cells/*/*/seed-*/request.json"
"""Pattern of files that mark the results of `benchmark` and `reproduce`."""
_PICTURES = frozenset({"cells", "evaluation", "feedback", "overlays", "samples", "versions"})
"""Folders with pictures inside such folders."""


def has_results(folder: Path) -> bool:
    """Tell whether rcae wrote its results into a folder."""
    if any(all((folder / name).is_file() for name in names) for names in _FILES):
        return True
    return (folder / "cells").is_dir() and any(folder.glob(_CELLS))


def is_of_results(folder: Path) -> bool:
    """Tell whether a folder holds nothing but results of rcae, or is a part of such results."""
    return has_results(folder) or (folder.name in _PICTURES and has_results(folder.parent))


def require_apart(output: Path, read: Iterable[Path]) -> None:
    """Refuse to write results where images are read, unless they go into results that are left out there.

    Args:
        output: folder of the results, which need not exist.
        read: folders whose images are read, with all folders below.

    Raises:
        UsageError: `output` is one of the folders, or lies in one.
    """
    place = output.resolve()
    for folder in read:
        root = folder.resolve()
        if not place.is_relative_to(root):
            continue
        between = [path for path in (place, *place.parents) if path != root]
        if not any(path.is_relative_to(root) and is_of_results(path) for path in between):
            name = "results" if place == root else place.name
            raise UsageError(
                f"{output} lies in {folder}, where images are read, and pictures of results would be "
                f"taken for images. Choose a folder outside, like -o {root.parent / name}."
            )
