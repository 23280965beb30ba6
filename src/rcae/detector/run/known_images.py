"""Images that a model knows, by their content: no image that measures the model may be among them."""

from pathlib import Path

from rcae.base.errors import CheckpointError
from rcae.data.good_images import read_list
from rcae.detector.calibration_images import CalibrationImage, read_calibration_images, scores_of
from rcae.detector.run.model_header import ModelHeader
from rcae.detector.run.run_folder import RunFolder

FINE_TUNED_ON = "fine_tuned_on"
"""Key in a model's provenance: SHA-256 of the images that it was fine-tuned with."""


def learnt_images(folder: RunFolder, header: ModelHeader) -> set[str]:
    """Return SHA-256 of every image that a run's model has learnt, later fine-tuning included.

    Raises:
        CheckpointError: the run's list of images is missing or damaged.
    """
    listed = {image.sha256 for image in read_list(folder.data) if image.role == "train"}
    return listed.union(header.provenance.get(FINE_TUNED_ON, ()))


def known_images(path: Path, header: ModelHeader) -> set[str]:
    """Return SHA-256 of the images that the model at `path` was trained, fine-tuned or calibrated on.

    The set is empty for a file that lies apart from its run.

    Raises:
        CheckpointError: a list of images in the run's folder is missing or damaged.
    """
    folder = _run_of(path)
    if folder is None:
        return set()
    calibrated_on = {image.sha256 for image in read_calibration_images(folder.calibration)}
    return learnt_images(folder, header) | calibrated_on


def calibration_images(path: Path, header: ModelHeader) -> tuple[CalibrationImage, ...]:
    """Return the images behind the threshold of the model at `path`; none for a file apart from its run.

    Raises:
        CheckpointError: the list in the run's folder is missing, damaged, or that of another model.
    """
    folder = _run_of(path)
    if folder is None:
        return ()
    images = read_calibration_images(folder.calibration)
    if tuple(sorted(scores_of(images))) != header.calibration.scores:
        raise CheckpointError(
            f"{folder.calibration} does not belong to the model beside it; run 'rcae calibrate' again."
        )
    return images


def _run_of(path: Path) -> RunFolder | None:
    """Return the run that a model lies in; None for a file that lies apart from its run."""
    folder = RunFolder(path if path.is_dir() else path.parent)
    lies_in_it = path in (folder.path, folder.model) and folder.data.exists()
    return folder if lies_in_it else None
