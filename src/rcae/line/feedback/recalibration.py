"""Recalibration of a finished run's threshold, from good images of another day."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from scipy.stats import ks_2samp

from rcae.base.errors import UsageError
from rcae.base.progress import shown, warn
from rcae.data.folders import expand_paths
from rcae.data.good_images import hash_file
from rcae.data.images import image_size
from rcae.data.layouts.category import is_category
from rcae.data.usual_image import SIZE_LIMIT
from rcae.detector.calibration import Calibration, conformal_threshold, require_enough
from rcae.detector.calibration_images import (
    CalibrationImage,
    score_good_images,
    scores_of,
    to_csv,
    typical_value_of,
)
from rcae.detector.outliers import Outlier, outliers_among
from rcae.detector.run.checkpoint import Model, load_model
from rcae.detector.run.known_images import learnt_images
from rcae.detector.run.run_folder import RunFolder
from rcae.detector.run.versions import replace_model
from rcae.detector.runners.torch_runner import TorchRunner

ALIKE = 0.05
"""p-value of the Kolmogorov-Smirnov test above which two sets of scores look alike (our choice)."""


@dataclass(frozen=True, repr=False)
class Recalibration:
    """New calibration of a run, and facts about it; `print` shows them in sentences."""

    calibration: Calibration
    copy_count: int
    """Number of duplicate images, which are counted once."""
    session_p_value: float
    """p-value of the two-sample Kolmogorov-Smirnov test against the training session.

    It compares the scores of these images with those of the images held out in training.
    """
    old_threshold: float
    kept_as: int
    """Version number of the model with the old calibration."""
    outliers: tuple[Outlier, ...]
    """Images far from all others."""

    @property
    def looks_like_training_session(self) -> bool:
        """True if the test does not separate the images from those of the training session."""
        return self.session_p_value >= ALIKE

    def __str__(self) -> str:
        calibration = self.calibration
        count, session = len(calibration.scores), len(calibration.scores_of_training_session)
        test = (
            f"Kolmogorov-Smirnov test of their scores, {count} against {session} images: "
            f"p = {self.session_p_value:.2g}"
        )
        lines = [
            f"threshold {calibration.threshold:.4f}, before {self.old_threshold:.4f}",
            calibration.promise,
        ]
        if self.copy_count:
            lines.append(
                f"{self.copy_count} images are copies of others here and were not counted."
            )
        lines.extend(f"warning: {outlier.advice}" for outlier in self.outliers)
        if self.looks_like_training_session:
            lines.append(
                f"warning: these images look like those of the training session ({test}). If they were "
                "taken with them, the promise may not hold in production; calibrate on another day's."
            )
        else:
            lines.append(f"These images look unlike those of the training session ({test}).")
        lines.append(
            f"The model with the old threshold is kept as version {self.kept_as} ('rcae restore'). "
            "Files exported before still have it: export again."
        )
        return "\n".join(lines)

    def __repr__(self) -> str:
        calibration = self.calibration
        return (
            f"Recalibration(threshold={calibration.threshold:.4g}, before {self.old_threshold:.4g}, "
            f"{len(calibration.scores)} images)"
        )


def scored_by(model: Model, images: Mapping[str, Path]) -> tuple[CalibrationImage, ...]:
    """Score good images, paths by their SHA-256, with a model; see `score_good_images`."""
    return score_good_images(images, TorchRunner(model).maps, model.header.working_view.usual)


def recalibrate(
    run: Path,
    paths: Sequence[str],
    false_alarm_rate: float | None = None,
    confidence: float | None = None,
) -> Recalibration:
    """Score good images and set the threshold of the run from their scores.

    The model with the old calibration is kept as a version of the run.

    Args:
        run: the folder of a finished run.
        paths: files, folders or patterns of good images that were not trained on.
        false_alarm_rate: guaranteed rate; the default is the rate of the run's settings.
        confidence: confidence of the guarantee; None guarantees the rate on average.

    Raises:
        UsageError: the run is not finished, a rate or confidence is outside 0 to 1, or there are too
            few images. The paths give a whole category, or images that were trained on.
        ImageError: an image cannot be read.
        CheckpointError, StorageError: the errors of reading and writing models.
    """
    folder = RunFolder(run)
    folder.require_finished()
    model = load_model(folder.model)
    asked = model.header.settings.calibration.false_alarm_rate
    rate = asked if false_alarm_rate is None else false_alarm_rate
    files = good_files(paths)
    images: dict[str, Path] = {}
    for path in shown(files, "hashing good images"):
        images.setdefault(hash_file(path), path)
    require_not_trained_on(folder, model, images)
    require_enough(len(images), rate, confidence)
    _warn_of_unusual_size(model, files)
    good = scored_by(model, images)
    before = model.header.calibration
    calibration = calibration_from(good, before.scores_of_training_session, rate, confidence)
    new = Model(model.system, replace(model.header, calibration=calibration))
    description = f"calibrated on {len(images)} good images"
    kept_as = replace_model(folder, new, description, to_csv(good))
    return Recalibration(
        calibration=calibration,
        copy_count=len(files) - len(images),
        session_p_value=float(
            ks_2samp(calibration.scores, before.scores_of_training_session).pvalue
        ),
        old_threshold=before.threshold,
        kept_as=kept_as,
        outliers=outliers_among(good, calibration),
    )


def _warn_of_unusual_size(model: Model, files: Sequence[Path]) -> None:
    """Warn once of images of another size than the training images, whose scores compare badly."""
    usual = model.header.working_view.usual
    remarks = [
        usual.size_remark(str(path), *image_size(path), SIZE_LIMIT) for path in files if usual
    ]
    for remark in [one for one in remarks if one][:1]:
        warn(remark)


def calibration_from(
    images: Sequence[CalibrationImage],
    session_scores: tuple[float, ...],
    rate: float,
    confidence: float | None,
    cross_fitted_scores: tuple[float, ...] = (),
) -> Calibration:
    """Return the calibration of a run that had another one; errors are those of `conformal_threshold`.

    Args:
        images: images with scores of the model to calibrate.
        session_scores: scores of the same model for the images held out of the training session.
        rate: guaranteed false-alarm rate.
        confidence: confidence of the guarantee; None guarantees the rate on average.
        cross_fitted_scores: those of the same model, where the images are of the training session.
    """
    scores, typical_value = scores_of(images), typical_value_of(images)
    everything = [*scores, *cross_fitted_scores]
    return Calibration(
        scores=tuple(sorted(scores)),
        cross_fitted_scores=cross_fitted_scores,
        typical_value=typical_value,
        false_alarm_rate=rate,
        threshold=conformal_threshold(everything, rate, confidence, typical_value=typical_value),
        confidence=confidence,
        session_scores=session_scores,
    )


def good_files(paths: Sequence[str]) -> list[Path]:
    """Return the image files that paths of good images name, as `expand_paths` finds them.

    Raises:
        UsageError: a path is a whole category with defective images, or gives no image.
    """
    for text in paths:
        if is_category(Path(text)):
            raise UsageError(
                f"{text} is a whole category, its defective images and masks included; give a folder of "
                "good images alone, that were not trained on."
            )
    return expand_paths(paths)


def require_not_trained_on(folder: RunFolder, model: Model, images: Mapping[str, Path]) -> None:
    """Refuse images that the run was trained on, because the model scores them too low.

    Args:
        folder: folder of the run.
        model: model of the run.
        images: paths by SHA-256.

    Raises:
        UsageError: names one such image and gives their number.
        CheckpointError: the run's list of images is missing or damaged.
    """
    learnt = learnt_images(folder, model.header)
    known = [path for digest, path in images.items() if digest in learnt]
    if known:
        raise UsageError(
            f"{known[0]} was trained on, and so were {len(known) - 1} of the {len(images) - 1} other images; "
            "a threshold from them would promise too much. Give good images that were not trained on."
        )
