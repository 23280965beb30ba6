"""Check of a category: every image and mask is decoded, and every problem is listed."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from rcae.base.errors import DataError, ImageError
from rcae.base.progress import shown
from rcae.base.settings import CalibrationSettings
from rcae.data.doctor.diagnosis import Diagnosis, Finding, describe_size
from rcae.data.doctor.exposure import Tone, odd_tones
from rcae.data.doctor.give_aways import GiveAways, Look
from rcae.data.doctor.mask_remarks import remarks_on_mask
from rcae.data.good_images import hash_file, list_good_images
from rcae.data.image_files import read_header
from rcae.data.images import read_image
from rcae.data.layouts.category import open_category
from rcae.data.layouts.sample import Category, Sample, Split, fault_of_inversion, fault_of_size
from rcae.data.layouts.source import Data
from rcae.data.usual_image import SIZE_LIMIT, UsualImage

__all__ = ["Diagnosis", "Finding", "examine"]

NEARLY_ALL = 0.95
"""Share of images from which a common property is expected of the rest too (our choice)."""


@dataclass(frozen=True)
class _ExaminedImage:
    """A readable image, without its pixels."""

    sample: Sample
    name: str
    """Path below the category's folder."""
    size: tuple[int, int]
    """(height, width) in pixels."""
    kind: str
    sha256: str
    look: Look | None
    """Properties that may give the label away; None for training images."""
    tone: Tone


def examine(data: Data) -> Diagnosis:
    """Decode each image and mask of a category, one at a time, and list every problem.

    An error keeps training or evaluation from running, or makes its numbers wrong.
    All other problems are warnings.

    Args:
        data: one category, see `open_category`.

    Raises:
        UsageError, DataError: the errors of `open_category`.
    """
    category = open_category(data)
    usual = _usual_image(category)
    images: list[_ExaminedImage] = []
    findings: dict[Split, list[Finding]] = {"train": [], "test": []}
    marked: list[float] = []
    for sample in shown(category.samples, "examining"):
        size = None
        try:
            image = _look_at(sample, category.root, usual)
            size = image.size
            images.append(image)
        except ImageError as error:
            findings[sample.split].append(_refused("unreadable-image", sample.path, error))
        findings[sample.split] += _check_mask(sample, size, marked)
    findings["train"] += _check_training(category, images)
    findings["test"] += [
        *_check_test_split(category),
        *_find_missing_masks(category),
        *_find_inverted_masks(category, marked),
        *_find_leaks(images),
        *_find_other_sizes(images, usual),
    ]
    remarks = [
        *_find_copies(images),
        *_find_odd_ones(images),
        *_find_odd_tones(images),
        *_find_unused_masks(category),
        *_find_give_aways(images, category.root),
    ]
    return Diagnosis(
        category=category.name,
        root=category.root,
        layout=category.layout,
        counts=_count(category.samples),
        sizes=dict(Counter(image.size for image in images).most_common()),
        findings=(*findings["train"], *findings["test"], *remarks),
        notes=category.notes,
        can_train=not _has_error(findings["train"]),
        can_evaluate=bool(category.test) and not _has_error(findings["test"]),
    )


def _has_error(findings: Iterable[Finding]) -> bool:
    return any(finding.severity == "error" for finding in findings)


def _usual_image(category: Category) -> UsualImage | None:
    """Measure the training images; None where there are none, or where one is unreadable."""
    try:
        return UsualImage.measure([sample.path for sample in category.train_good])
    except (ImageError, ValueError):
        return None


def _look_at(sample: Sample, root: Path, usual: UsualImage | None) -> _ExaminedImage:
    path = sample.path
    pixels = read_image(path, usual)
    name, kind = path.relative_to(root).as_posix(), read_header(path).kind
    look = Look.of(path, pixels) if sample.split == "test" else None
    tone = Tone.of(pixels)
    height, width = pixels.shape[:2]
    return _ExaminedImage(sample, name, (height, width), kind, hash_file(path), look, tone)


def _count(samples: Iterable[Sample]) -> dict[str, dict[str, int]]:
    """Count the images per split and defect type, the training split and good images first."""
    counts: dict[str, dict[str, int]] = {}
    in_order = sorted(samples, key=lambda r: (r.split != "train", r.is_defective, r.defect_type))
    for (split, kind), count in Counter((r.split, r.defect_type) for r in in_order).items():
        counts.setdefault(split, {})[kind] = count
    return counts


def _refused(code: str, path: Path, error: DataError) -> Finding:
    """Return a finding with the message of an error."""
    return Finding("error", code, path, str(error).removeprefix(f"{path} "))


# Errors.


def _check_mask(
    sample: Sample, size: tuple[int, int] | None, marked: list[float]
) -> Iterator[Finding]:
    """Yield what is wrong with the masks of an image, and add the share that they mark to `marked`."""
    if not sample.mask_paths:
        return
    path = sample.mask_paths[0]
    try:
        mask = sample.mask()
    except DataError as error:
        yield _refused("unreadable-mask", path, error)
        return
    marked.append(float(mask.mean()))
    fault = None if size is None else fault_of_size(sample.path, size, mask)
    if fault is not None:
        yield Finding("error", "wrong-mask-size", path, fault)
    elif size is not None:
        yield from remarks_on_mask(sample, mask)
    if not mask.any():
        message = (
            "marks no defect, for it is black; draw defects in white (255), or remove the image from the "
            "test."
        )
        yield Finding("error", "empty-mask", path, message)


def _check_training(category: Category, images: Iterable[_ExaminedImage]) -> Iterator[Finding]:
    """Yield a finding if the images cannot be divided for training.

    The check calls the function that divides them when training starts.
    """
    to_train_on = set(category.train_good)
    paths = [image.sample.path for image in images if image.sample in to_train_on]
    try:
        list_good_images(paths, category.root, CalibrationSettings(), seed=0)
    except DataError as error:
        yield _refused("too-few-training-images", category.root, error)


def _check_test_split(category: Category) -> Iterator[Finding]:
    if not category.test:
        return
    for is_defective, kind in ((False, "good"), (True, "defective")):
        if not any(sample.is_defective == is_defective for sample in category.test):
            message = (
                f"has no {kind} test image; evaluation needs good and defective ones, add some."
            )
            yield Finding("error", f"no-{kind}-test-image", category.root, message)


def _find_missing_masks(category: Category) -> Iterator[Finding]:
    defective = [sample for sample in category.test if sample.is_defective]
    without = [sample for sample in defective if not sample.mask_paths]
    if without and len(without) == len(defective):
        message = "has no masks: defects can be detected, but their place cannot be evaluated."
        yield Finding("warning", "no-masks", category.root, message)
        return
    for sample in without:
        message = "has no mask, though others have; draw one, or remove the image from the test."
        yield Finding("error", "missing-mask", sample.path, message)


def _find_inverted_masks(category: Category, marked: Sequence[float]) -> Iterator[Finding]:
    fault = fault_of_inversion(marked)
    if fault is not None:
        yield Finding("error", "inverted-masks", category.root, fault)


def _find_leaks(images: Sequence[_ExaminedImage]) -> Iterator[Finding]:
    trained_on = {i.sha256: i.name for i in images if i.sample.split == "train"}
    for image in images:
        if image.sample.split == "test" and image.sha256 in trained_on:
            message = (
                f"is a copy of the training image {trained_on[image.sha256]}; remove one of them, "
                "for an image that was trained on tests nothing."
            )
            yield Finding("error", "in-train-and-test", image.sample.path, message)


# Warnings.


def _find_copies(images: Sequence[_ExaminedImage]) -> Iterator[Finding]:
    first: dict[tuple[Split, str], str] = {}
    for image in images:
        original = first.setdefault((image.sample.split, image.sha256), image.name)
        if original != image.name:
            message = f"is a copy of {original}; remove one of them."
            yield Finding("warning", "duplicate-image", image.sample.path, message)


def _find_odd_ones(images: Sequence[_ExaminedImage]) -> Iterator[Finding]:
    """Yield images whose size or kind differs from nearly all others; yield none where images vary.

    Sizes are those of the training images, which test images are compared with.
    """
    trained_on = [image for image in images if image.sample.split == "train"]
    sizes = [describe_size(image.size) for image in trained_on]
    kinds = [image.kind for image in images]
    for code, among, values in (("odd-size", trained_on, sizes), ("odd-kind", images, kinds)):
        usual, count = Counter(values).most_common(1)[0] if values else ("", 0)
        if count < NEARLY_ALL * len(values):
            continue
        for image, value in zip(among, values, strict=True):
            if value != usual:
                message = f"is {value}, unlike nearly all others ({usual}); check where it is from."
                yield Finding("warning", code, image.sample.path, message)


def _find_other_sizes(
    images: Sequence[_ExaminedImage], usual: UsualImage | None
) -> Iterator[Finding]:
    """Yield test images whose size or aspect ratio lies beyond those of the training images."""
    for image in images:
        if usual is None or image.sample.split == "train":
            continue
        path = image.sample.path
        try:
            remark = usual.size_remark(str(path), *image.size, SIZE_LIMIT)
        except ImageError as error:
            yield _refused("other-size", path, error)
            continue
        if remark is not None:
            yield Finding("warning", "other-size", path, remark.removeprefix(f"{path} "))


def _find_odd_tones(images: Sequence[_ExaminedImage]) -> Iterator[Finding]:
    for place, code, message in odd_tones([image.tone for image in images]):
        yield Finding("warning", code, images[place].sample.path, message)


def _find_unused_masks(category: Category) -> Iterator[Finding]:
    for path in category.unused_masks:
        message = "belongs to no defective image; remove it, or restore its image."
        yield Finding("warning", "unused-mask", path, message)


def _find_give_aways(images: Sequence[_ExaminedImage], root: Path) -> Iterator[Finding]:
    good, defective = (
        [image.look for image in images if image.look and image.sample.is_defective == is_defective]
        for is_defective in (False, True)
    )
    sizes = [image.size for image in images if image.sample.split == "train"]
    for code, message in GiveAways.of(good, defective, sizes).warnings():
        yield Finding("warning", code, root, message)
