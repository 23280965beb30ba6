"""Give-aways: properties that tell defective from good images without any look at the defect."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import log
from pathlib import Path
from statistics import mean, median
from typing import Self

import numpy as np

from rcae.base.arrays import Array
from rcae.base.errors import ImageError
from rcae.base.progress import shown
from rcae.data.image_files import read_header
from rcae.data.images import image_size, read_image
from rcae.data.layouts.sample import Category, Sample

TELLING = 0.9
"""Image AUROC that one property alone must not reach (our choice)."""
FEWEST = 10
"""Fewest images of each kind for a meaningful AUROC."""


@dataclass(frozen=True)
class Look:
    """Properties of one image as a whole."""

    size: tuple[int, int]
    """(height, width) in pixels."""
    brightness: float
    """Mean of the grey values, 0..1."""
    contrast: float
    """Standard deviation of the grey values."""
    sharpness: float
    """Variance of the Laplacian of the grey values."""
    kind: str
    """Suffix, channels and bit depth, like ".png, 8-bit grey"."""

    @classmethod
    def of(cls, path: Path, pixels: Array) -> Self:
        """Return the properties of an image file.

        Args:
            path: the file; its header is read.
            pixels: the same file, decoded by `read_image`.

        Raises:
            ImageError: the errors of `read_header`.
        """
        grey = pixels.mean(axis=2)
        height, width = grey.shape
        return cls(
            size=(height, width),
            brightness=float(grey.mean()),
            contrast=float(grey.std()),
            sharpness=float(_laplacian(grey).var()),
            kind=f"{path.suffix.lower()}, {read_header(path).kind}",
        )


def _laplacian(grey: Array) -> Array:
    """Return four times each inner pixel minus its four neighbours."""
    inner = 4 * grey[1:-1, 1:-1]
    for neighbours in (grey[:-2, 1:-1], grey[2:, 1:-1], grey[1:-1, :-2], grey[1:-1, 2:]):
        inner -= neighbours
    return inner


@dataclass(frozen=True)
class _Reference:
    """Values that properties of one image are compared with."""

    height_px: float
    width_px: float
    """Median sides of the training images."""
    defective_share: Mapping[str, float]
    """Share of defective test images by file kind."""


def _size(look: Look, usual: _Reference) -> tuple[float, ...]:
    height, width = look.size
    unlikeness = max(abs(log(height / usual.height_px)), abs(log(width / usual.width_px)))
    return unlikeness, height, width


def _aspect(look: Look, usual: _Reference) -> tuple[float, ...]:
    aspect = log(look.size[1] / look.size[0])
    return abs(aspect - log(usual.width_px / usual.height_px)), aspect


@dataclass(frozen=True)
class GiveAway:
    """One property, and the words of its warning."""

    code: str
    """Code of the doctor's finding."""
    more: str
    """Word for defective images with the higher values."""
    less: str
    subject: str
    advice: str
    numbers: Callable[[Look, _Reference], tuple[float, ...]]
    """Function that gives one or more numbers for an image; the most telling number counts."""

    def describe(self, auroc: float) -> str:
        """Describe a telling property without its direction."""
        return f"{self.subject} alone has an image AUROC of {_strength(auroc):.3f}. {self.advice}"

    def compare(self, auroc: float) -> str:
        """Describe a telling property in words that continue the category's name or path."""
        word = self.more if auroc > 0.5 else self.less
        return f"has {word} defective than good test images: {self.describe(auroc)}"


GIVE_AWAYS = {
    "size": GiveAway(
        code="telling-size",
        more="otherwise sized",
        less="otherwise sized",
        subject="image size",
        advice="Image scores may measure the size as well as the defects; take both in one size.",
        numbers=_size,
    ),
    "aspect": GiveAway(
        code="telling-aspect",
        more="otherwise shaped",
        less="otherwise shaped",
        subject="aspect ratio",
        advice="Image scores may measure the shape as well as the defects; cut both to one shape.",
        numbers=_aspect,
    ),
    "brightness": GiveAway(
        code="telling-light",
        more="brighter",
        less="darker",
        subject="mean brightness",
        advice=(
            "Image scores measure the light as well as the defects; take both under the same light."
        ),
        numbers=lambda look, _: (look.brightness,),
    ),
    "contrast": GiveAway(
        code="telling-contrast",
        more="higher-contrast",
        less="lower-contrast",
        subject="contrast",
        advice=(
            "Image scores may measure the contrast as well as the defects; take both with the same "
            "light and exposure."
        ),
        numbers=lambda look, _: (look.contrast,),
    ),
    "sharpness": GiveAway(
        code="telling-sharpness",
        more="sharper",
        less="less sharp",
        subject="sharpness",
        advice=(
            "Image scores may measure the focus as well as the defects; take both with the same focus."
        ),
        numbers=lambda look, _: (look.sharpness,),
    ),
    "kind": GiveAway(
        code="telling-kind",
        more="otherwise stored",
        less="otherwise stored",
        subject="file kind",
        advice="Image scores may measure the storage as well as the defects; store both alike.",
        numbers=lambda look, usual: (usual.defective_share[look.kind],),
    ),
}
"""Properties by name, in the order of every list."""


@dataclass(frozen=True)
class GiveAways:
    """Image AUROC of each property alone on the test images of a category."""

    aurocs: dict[str, float]
    """AUROC by property, where 1 ranks every defective image above every good one, and 0 below.

    It is empty without good or without defective images.
    """
    good_count: int
    defective_count: int

    @classmethod
    def of(
        cls, good: Sequence[Look], defective: Sequence[Look], sizes: Iterable[tuple[int, int]]
    ) -> Self:
        """Measure every property.

        File kinds rank by their share of defective images, the order that separates best.

        Args:
            good: the good test images.
            defective: the defective test images.
            sizes: (height, width) of the training images; without any, those of the test images count.
        """
        aurocs = {}
        if good and defective:
            usual = _reference(good, defective, list(sizes))
            for name, give_away in GIVE_AWAYS.items():
                columns = (
                    zip(*(give_away.numbers(look, usual) for look in looks), strict=True)
                    for looks in (good, defective)
                )
                each = [_auroc(*column) for column in zip(*columns, strict=True)]
                aurocs[name] = max(each, key=_strength)
        return cls(aurocs, len(good), len(defective))

    @property
    def strengths(self) -> dict[str, float]:
        """AUROC by property in whichever direction separates better, 0.5..1."""
        return {name: _strength(auroc) for name, auroc in self.aurocs.items()}

    def warnings(self) -> Iterator[tuple[str, str]]:
        """Yield code and message of each telling property.

        The message continues the category's name or path.
        """
        for name in telling(self.strengths, self.good_count, self.defective_count):
            yield GIVE_AWAYS[name].code, GIVE_AWAYS[name].compare(self.aurocs[name])


def measure(category: Category) -> GiveAways:
    """Decode all test images of a category and measure every property.

    Training images give their sizes only; unreadable ones are passed over.

    Raises:
        ImageError: a test image cannot be read.
    """
    looks: dict[bool, list[Look]] = {False: [], True: []}
    for sample in shown(category.test, "looking for give-aways"):
        looks[sample.is_defective].append(Look.of(sample.path, read_image(sample.path)))
    return GiveAways.of(looks[False], looks[True], _readable_sizes(category.train_good))


def telling(strengths: Mapping[str, float], good_count: int, defective_count: int) -> list[str]:
    """Return the properties that separate too well, none if there are too few images to say."""
    if min(good_count, defective_count) < FEWEST:
        return []
    return [name for name, strength in strengths.items() if strength >= TELLING]


def _readable_sizes(samples: Iterable[Sample]) -> Iterator[tuple[int, int]]:
    for sample in samples:
        try:
            yield image_size(sample.path)
        except ImageError:
            continue


def _reference(
    good: Sequence[Look], defective: Sequence[Look], sizes: Sequence[tuple[int, int]]
) -> _Reference:
    defects: dict[str, list[bool]] = defaultdict(list)
    for is_defective, looks in ((False, good), (True, defective)):
        for look in looks:
            defects[look.kind].append(is_defective)
    heights, widths = zip(*(sizes or [look.size for look in (*good, *defective)]), strict=True)
    return _Reference(median(heights), median(widths), {k: mean(v) for k, v in defects.items()})


def _auroc(good: Sequence[float], defective: Sequence[float]) -> float:
    """Return the chance that a defective image has the higher number; ties count half."""
    in_order = np.sort(good)
    below = [np.searchsorted(in_order, defective, side) for side in ("left", "right")]
    return float(np.mean(below) / len(in_order))


def _strength(auroc: float) -> float:
    return max(auroc, 1 - auroc)
