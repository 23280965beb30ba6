"""KolektorSDD and KolektorSDD2: a mask beside each image, black where the image is good."""

from collections.abc import Iterable
from pathlib import Path
from typing import Literal

from rcae.data.folders import list_images, scan
from rcae.data.images import read_mask
from rcae.data.layouts.held_out import hold_out
from rcae.data.layouts.sample import Category, Sample, Split, category_of, good_samples

_DEFECT = "defect"
_MARKS = {"sdd": "_label", "sdd2": "_gt"}
_PARTS_START = "kos"


def is_kolektor_sdd(root: Path) -> bool:
    """Tell KolektorSDD by the masks in its folders `kos01/`, `kos02/`, ..."""
    return any(_pairs(list_images(folder), "sdd") for folder in _parts(root)[:1])


def read_kolektor_sdd(root: Path) -> Category:
    """Read `kos01/Part0.jpg` with `kos01/Part0_label.bmp` and so on; opens all masks.

    Raises:
        ImageError: a mask is unreadable.
    """
    pairs = {
        image: mask
        for folder in _parts(root)
        for image, mask in _pairs(list_images(folder), "sdd").items()
    }
    defective = _defective(pairs, "test")
    bad = {sample.path for sample in defective}
    good = [image for image in pairs if image not in bad]
    train, test, note = hold_out(good, "KolektorSDD has no split")
    samples = [*good_samples(train, "train"), *good_samples(test, "test"), *defective]
    return category_of(root, "kolektor", samples, notes=[note])


def is_kolektor_sdd2(root: Path) -> bool:
    """Tell KolektorSDD2 by the masks in its folders `train/` and `test/`."""
    return any(
        _pairs(list_images(root / split), "sdd2")
        for split in ("train", "test")
        if (root / split).is_dir()
    )


def read_kolektor_sdd2(root: Path) -> Category:
    """Read `train/10000.png` with `train/10000_GT.png` and so on; opens all masks.

    Raises:
        ImageError: a mask is unreadable.
    """
    splits: tuple[Split, ...] = ("train", "test")
    samples: list[Sample] = []
    for split in splits:
        folder = root / split
        pairs = _pairs(list_images(folder), "sdd2") if folder.is_dir() else {}
        defective = _defective(pairs, split)
        bad = {sample.path for sample in defective}
        samples += [
            *good_samples((image for image in pairs if image not in bad), split),
            *defective,
        ]
    return category_of(root, "kolektor", samples)


def _parts(root: Path) -> list[Path]:
    return [path for path in scan(root)[0] if path.name.casefold().startswith(_PARTS_START)]


def _pairs(images: Iterable[Path], dataset: Literal["sdd", "sdd2"]) -> dict[Path, Path]:
    """Return each image that has a mask beside it, with the mask."""
    by_name = {path.stem.casefold(): path for path in images}
    mark = _MARKS[dataset]
    return {path: by_name[name + mark] for name, path in by_name.items() if name + mark in by_name}


def _defective(pairs: dict[Path, Path], split: Split) -> list[Sample]:
    return [
        Sample(image, split, _DEFECT, (mask,))
        for image, mask in pairs.items()
        if read_mask(mask).any()
    ]
