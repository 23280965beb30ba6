"""Remarks on a mask that is readable but may mean something else than its author thinks."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

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
    yield from _find_many_values(sample, mask)
    if not sample.mask_reading.unturned and read_header(sample.path).is_turned:
        yield from _find_unclear_turn(sample, mask)


def _find_many_values(sample: Sample, mask: Mask) -> Iterator[Finding]:
    """Yield masks with more than two values, each with its share and its meaning.

    Class numbers that a layout knows and the noise of JPEG are no surprise.
    """
    if sample.mask_reading.indexed:
        return
    for path in sample.mask_paths:
        if is_named_like_one(path) or path.suffix.lower() in JPEG_SUFFIXES:
            continue
        values = _values(decode(path).values, _marked(sample, path, mask))
        if len(values) < 3:
            continue
        listed = ", ".join(
            f"{name} {share:.2%} {'defect' if is_defect else 'good'}"
            for name, share, is_defect in values[:_VALUES_SHOWN]
        )
        more = f" and {len(values) - _VALUES_SHOWN} more" if len(values) > _VALUES_SHOWN else ""
        message = f"has {len(values)} values: {listed}{more}. Draw it in black and white if that is wrong."
        yield Finding("warning", "many-valued-mask", path, message)


def _marked(sample: Sample, path: Path, mask: Mask) -> Mask:
    """Return what one mask of an image marks, as its file lies."""
    if len(sample.mask_paths) == 1 and not sample.mask_reading.unturned:
        return mask
    return replace(sample.mask_reading, unturned=False).read(path, sample.path)


def _values(pixels: NDArray[np.generic], marked: Mask) -> list[tuple[str, float, bool]]:
    """Return each value or colour, its share, and True if it counts as a defect; the largest share first.

    Args:
        pixels: [height, width], or [height, width, 3 or 4] of uint8.
        marked: bool [height, width].
    """
    numbers = pixels.ravel()
    if pixels.ndim == 3:
        numbers = (pixels.astype(np.uint32) << (8 * np.arange(pixels.shape[2]))).sum(axis=2).ravel()
    _, first, counts = np.unique(numbers, return_index=True, return_counts=True)
    flat = pixels.reshape(marked.size, -1)
    return [
        (_named(flat[first[at]]), float(counts[at] / marked.size), bool(marked.flat[first[at]]))
        for at in np.argsort(-counts, kind="stable")
    ]


def _named(value: NDArray[np.generic]) -> str:
    numbers = [f"{number:g}" for number in value.tolist()]
    return numbers[0] if len(numbers) == 1 else f"({','.join(numbers)})"


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
