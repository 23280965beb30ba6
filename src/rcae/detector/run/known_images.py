"""Images that a model knows, by their content: no image that measures the model may be among them."""

from pathlib import Path

from rcae.data.good_images import read_list
from rcae.detector.calibration_images import read_calibration_images
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
    folder = RunFolder(path if path.is_dir() else path.parent)
    if path not in (folder.path, folder.model) or not folder.data.exists():
        return set()
    calibrated_on = {image.sha256 for image in read_calibration_images(folder.calibration)}
    return learnt_images(folder, header) | calibrated_on
