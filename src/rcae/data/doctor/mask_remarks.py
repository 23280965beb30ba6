"""Remarks on a mask that is readable but may mean something else than its author thinks."""

from collections.abc import Iterator

import numpy as np

from rcae.base.arrays import Mask
from rcae.data.annotations.annotation import is_named_like_one
from rcae.data.doctor.diagnosis import Finding
from rcae.data.image_files import JPEG_SUFFIXES, decode, read_header
from rcae.data.layouts.mask_reading import stored_size
from rcae.data.layouts.sample import Sample

_VALUES_SHOWN = 6


def remarks_on_mask(sample: Sample, mask: Mask) -> Iterator[Finding]:
    """Yield warnings on the masks of an image.

    Args:
        sample: an image with masks.
        mask: bool [height, width], its masks as they are read.
    """
    yield from _find_many_values(sample)
    if not sample.mask_reading.unturned and read_header(sample.path).is_turned:
        yield from _find_unclear_turn(sample, mask)


def _find_many_values(sample: Sample) -> Iterator[Finding]:
    """Yield masks with more than two values, each with its share and its meaning.

    Class numbers that a layout knows and the noise of JPEG are no surprise.
    """
    if sample.mask_reading.indexed:
        return
    for path in sample.mask_paths:
        if is_named_like_one(path) or path.suffix.lower() in JPEG_SUFFIXES:
            continue
        pixels = decode(path)
        colours = pixels.reshape(-1, *pixels.shape[2:])
        values, places, counts = np.unique(colours, axis=0, return_inverse=True, return_counts=True)
        if len(values) < 3:
            continue
        marked = np.zeros(len(values), np.bool_)
        marked[places.ravel()[sample.mask_reading.read(path, sample.path).ravel()]] = True
        shown = np.argsort(-counts, kind="stable")[:_VALUES_SHOWN]
        listed = ", ".join(
            f"{_named(values[at])} {counts[at] / len(colours):.2%} {'defect' if marked[at] else 'good'}"
            for at in shown
        )
        more = f" and {len(values) - len(shown)} more" if len(values) > len(shown) else ""
        message = (
            f"has {len(values)} values: {listed}{more}; {marked.sum()} of them count as defect. Draw the "
            "mask in black and white if that is wrong."
        )
        yield Finding("warning", "many-valued-mask", path, message)


def _named(value: np.ndarray) -> str:
    return str(value.tolist()).replace(" ", "")


def _find_unclear_turn(sample: Sample, mask: Mask) -> Iterator[Finding]:
    """Yield a mask whose size fits its image both before and after EXIF turns it."""
    if mask.shape == stored_size(sample.path) and not _is_turned_itself(sample):
        message = (
            "belongs to an image that EXIF turns, and its size fits both before and after; give "
            "--masks-unturned if it was drawn before."
        )
        yield Finding("warning", "mask-of-turned-image", sample.mask_paths[0], message)


def _is_turned_itself(sample: Sample) -> bool:
    pictures = [path for path in sample.mask_paths if not is_named_like_one(path)]
    return bool(pictures) and all(read_header(path).is_turned for path in pictures)
