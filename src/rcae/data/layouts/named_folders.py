"""Folders that the user names by what they hold: good and defective images, and masks."""

from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from rcae.base.errors import UsageError
from rcae.data.layouts.held_out import hold_out
from rcae.data.layouts.image_list import common_root
from rcae.data.layouts.masks import MaskFiles
from rcae.data.layouts.sample import (
    Category,
    category_of,
    defective_samples,
    good_images,
    good_samples,
)
from rcae.data.layouts.source import DataSource


def read_named_folders(source: DataSource) -> Category:
    """Read the folders of a source, and all folders below them.

    An image in several of them belongs to the innermost one.

    Raises:
        UsageError: no folder of good images is named, a folder does not exist, or is named twice.
    """
    folders = source.folders
    if not folders.good:
        raise UsageError(
            "--defective, --test-good and --masks need --good; name the good images too."
        )
    named = [source.place(name) for name in folders.all]
    twice = [path for path, count in Counter(named).items() if count > 1]
    if twice:
        raise UsageError(f"{twice[0]} is named twice; name each folder once.")
    masks = MaskFiles()
    for place in map(source.place, folders.masks):
        if place.is_dir():
            masks.add_folder(place)
        else:
            masks.add_of_many(place)
    samples = [
        sample
        for folder in map(source.place, folders.defective)
        for sample in defective_samples(folder, masks)
        if _belongs_to(folder, sample.path, named)
    ]
    train, test = (
        [
            path
            for folder in map(source.place, names)
            for path in good_images([folder], masks)
            if _belongs_to(folder, path, named)
        ]
        for names in (folders.good, folders.test_good)
    )
    notes = []
    if samples and not test:
        train, test, note = hold_out(train, "no --test-good is given")
        notes.append(note)
    samples += good_samples(train, "train") + good_samples(test, "test")
    files = [path for sample in samples for path in (sample.path, *sample.mask_paths)]
    root = common_root(source.root, files)
    return category_of(root, "folders", samples, masks.paths, [*notes, *masks.notes(root)])


def _belongs_to(folder: Path, path: Path, named: Iterable[Path]) -> bool:
    """Tell whether no other folder that is named lies between a folder and a file in it."""
    return not any(
        path.is_relative_to(other) and other != folder and other.is_relative_to(folder)
        for other in named
    )
