"""The good images of a run, checked and ready: those to train on, those to calibrate with."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from rcae.base.arrays import Array
from rcae.base.errors import DataError
from rcae.base.progress import say, shown
from rcae.base.settings import ImageSettings, Settings
from rcae.data.good_images import GoodImage, hash_list, list_good_images
from rcae.data.images import image_size
from rcae.data.layouts.category import open_category
from rcae.data.layouts.sample import Category
from rcae.data.layouts.source import Data
from rcae.data.usual_image import UsualImage
from rcae.data.view.working_view import WorkingView
from rcae.detector.run.run_folder import RunFolder
from rcae.training.training_set import TrainingSet

TYPICAL_IMAGES = 64
"""Largest number of training images that brightness and frame are measured on."""


@dataclass(frozen=True)
class GoodParts:
    """All that training may see of a category."""

    category: Category
    """The folder and its layout."""
    listed: tuple[GoodImage, ...]
    """Every good training image of the category, with hash and role."""
    working_view: WorkingView
    """Rule by which the networks see an image; fitted on the training images."""
    training: TrainingSet
    """The images to train on."""
    calibration: tuple[Path, ...]
    """The held-out images to calibrate with."""

    @property
    def calibration_by_hash(self) -> dict[str, Path]:
        """The calibration images by the SHA-256 of their content; none of them has a copy."""
        held_out = (image for image in self.listed if image.role == "calibration")
        return {image.sha256: self.category.root / image.path for image in held_out}

    def training_by_hash(self, places: Sequence[int]) -> dict[str, Path]:
        """Return the training images at these places, by the SHA-256 of their content."""
        trained_on = [image for image in self.listed if image.role == "train"]
        return {trained_on[at].sha256: self.category.root / trained_on[at].path for at in places}

    def held_out(self) -> list[Array]:
        """Return the calibration images at working size, [height, width, 3] each, float32, 0..1."""
        view = self.working_view
        return [view.of(view.camera_image(path)) for path in self.calibration]

    @property
    def sha256(self) -> str:
        """SHA-256, hexadecimal, of the list of images and their hashes."""
        return hash_list(self.listed)


def open_good_parts(data: Data, settings: Settings) -> GoodParts:
    """Hash, divide and decode the good training images; nothing else is opened.

    Args:
        data: the category, see `open_category`.
        settings: image, calibration and seed count, and `training.data_share`.

    Raises:
        UsageError, DataError: the folder does not exist, has no known layout, or too few images.
        ImageError: an image is unreadable; named, before any training.
    """
    category = open_category(data)
    for note in category.notes:
        say(f"note: {note}")
    paths = [sample.path for sample in category.train_good]
    listed = list_good_images(
        list(shown(paths, "hashing good images")),
        category.root,
        settings.calibration,
        settings.seed,
        settings.training.data_share,
    )
    training = _paths(category, listed, "train")
    calibration = _paths(category, listed, "calibration")
    working_view = _view(training, settings.image)
    images = TrainingSet(training, working_view)
    for index in shown(range(len(images)), "reading good images"):
        images.image(index)
    for path in shown(calibration, "reading calibration images"):
        working_view.of(working_view.camera_image(path))
    return GoodParts(category, listed, working_view, images, calibration)


def _view(paths: Sequence[Path], settings: ImageSettings) -> WorkingView:
    white = None if settings.white_level == "measured" else settings.white_level
    usual = UsualImage.measure(paths, white)
    view = replace(
        WorkingView.fit(map(image_size, paths), settings.size_px, settings.resize), usual=usual
    )
    some = paths[:: -(-len(paths) // TYPICAL_IMAGES)]
    if settings.exposure == "equal":
        view = view.exposed_like(
            shown(map(view.camera_image, some), "measuring brightness", len(some))
        )
    if settings.frame == "part":
        view = view.framed_by(
            shown(map(view.camera_image, some), "looking for one part in each image", len(some))
        )
    if view.frame is not None:
        height, width = view.frame.size_px
        how = "each is turned and cut to it"
        if view.frame.still_at_px is not None:
            how = "it always lies alike, so that all are cut to one place"
        say(f"every image shows one part: {how}, {width}x{height} px")
    return view


def require_same_data(parts: GoodParts, folder: RunFolder) -> None:
    """Refuse to resume on other images than the run was started with.

    Raises:
        DataError: an image was added, removed, renamed or changed.
    """
    if parts.sha256 != folder.read_record()["data"]["sha256"]:
        raise DataError(
            f"the good images of {parts.category.root} are not those that {folder.path} was started "
            f"with (see {folder.data}); restore them, or train anew in another folder."
        )


def _paths(category: Category, listed: tuple[GoodImage, ...], role: str) -> tuple[Path, ...]:
    return tuple(category.root / image.path for image in listed if image.role == role)
