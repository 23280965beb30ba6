"""Folders that the user names by what they hold: good and defective images, and masks."""

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

    Raises:
        UsageError: no folder of good images is named, or a folder does not exist.
    """
    folders = source.folders
    if not folders.good:
        raise UsageError(
            "--defective, --test-good and --masks need --good; name the good images too."
        )
    good, test_good, defective = (
        [source.place(name) for name in names]
        for names in (folders.good, folders.test_good, folders.defective)
    )
    masks = MaskFiles()
    for place in map(source.place, folders.masks):
        if place.is_dir():
            masks.add_folder(place)
        else:
            masks.add_of_many(place)
    samples = [sample for folder in defective for sample in defective_samples(folder, masks)]
    train, test = good_images(good, masks), good_images(test_good, masks)
    notes = []
    if samples and not test:
        train, test, note = hold_out(train, "no --test-good is given")
        notes.append(note)
    samples += good_samples(train, "train") + good_samples(test, "test")
    files = [path for sample in samples for path in (sample.path, *sample.mask_paths)]
    root = common_root(source.root, files)
    return category_of(root, "folders", samples, masks.paths, [*notes, *masks.notes(root)])
