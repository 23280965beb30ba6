"""A model proposed from feedback, and its differences from the model in use."""

from collections.abc import Sequence
from dataclasses import dataclass

from rcae.detector.calibration_images import CalibrationImage, to_csv
from rcae.detector.run.checkpoint import Model
from rcae.detector.run.run_folder import RunFolder
from rcae.detector.run.versions import replace_model
from rcae.line.feedback.journal import ReviewedImage


@dataclass(frozen=True)
class Judged:
    """Decisions of the model in use and of the new model on one reviewed image."""

    reviewed: ReviewedImage
    rejected_before: bool
    rejected_after: bool
    was_learnt: bool
    """True if the new model was trained on the image, so that its decision proves nothing."""


@dataclass(frozen=True, repr=False)
class Proposal:
    """A model that could replace the model in use; `print` shows what it would change."""

    folder: RunFolder
    """Folder of the run."""
    model: Model
    calibration_images: tuple[CalibrationImage, ...]
    judged: tuple[Judged, ...]
    mask_count: int
    """Number of images with the verdict defect that have a mask."""
    pixel_ap: tuple[float, float] | None
    """Pixel AP on the masked images, for the model in use and the new model; None without masks."""
    description: str

    def accept(self) -> int:
        """Put the new model in place and return the version number of the old one.

        Raises:
            StorageError: the disk refused; the old model is still in place.
        """
        images = to_csv(self.calibration_images)
        return replace_model(self.folder, self.model, self.description, images)

    def __str__(self) -> str:
        calibration = self.model.header.calibration
        good, defective, learnt = _groups(self.judged)
        lines = [
            f"{'':50}{'in use':>8}{'new':>8}",
            _line("false alarms, of good images", good),
            _line("found, of defective images", defective),
        ]
        if learnt:
            lines.append(_line("false alarms, of good images trained on", learnt))
        if self.pixel_ap is not None:
            before, after = self.pixel_ap
            title = f"pixel AP, of defective images with masks ({self.mask_count})"
            lines.append(f"{title:50}{before:>8.3f}{after:>8.3f}")
        changed = [image for image in self.judged if image.rejected_before != image.rejected_after]
        lines += [
            f"  {'accepted now' if image.rejected_before else 'rejected now'}, said to be "
            f"{image.reviewed.feedback.verdict}: {image.reviewed.feedback.image}"
            for image in changed
        ]
        lines.append(f"threshold {calibration.threshold:.4f}. {calibration.promise}")
        if good:
            lines.append(
                "The good images above took part in setting the new threshold. Images on which something was "
                "said were chosen by people, often for being unusual: the promise is stricter for others."
            )
        return "\n".join(lines)

    def __repr__(self) -> str:
        return f"Proposal({self.description})"


def _groups(judged: Sequence[Judged]) -> tuple[list[Judged], list[Judged], list[Judged]]:
    """Split into good, defective, and trained on."""
    good = [image for image in judged if image.reviewed.feedback.verdict == "good"]
    return (
        [image for image in good if not image.was_learnt],
        [image for image in judged if image.reviewed.feedback.verdict == "defect"],
        [image for image in good if image.was_learnt],
    )


def _line(title: str, images: Sequence[Judged]) -> str:
    before = sum(image.rejected_before for image in images)
    after = sum(image.rejected_after for image in images)
    return f"{f'{title} ({len(images)})':50}{before:>8}{after:>8}"
