"""Creation of a new model from feedback, and its comparison with the model in use."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from rcae.base.arrays import Array, Mask
from rcae.base.errors import UsageError
from rcae.base.progress import shown
from rcae.data.good_images import hash_file
from rcae.data.images import read_mask
from rcae.data.layouts.source import Data
from rcae.detector.calibration_images import (
    CalibrationImage,
    scores_of,
)
from rcae.detector.detector import Detector
from rcae.detector.run.checkpoint import Model, load_model
from rcae.detector.run.known_images import FINE_TUNED_ON, calibration_images, learnt_images
from rcae.detector.run.run_folder import RunFolder
from rcae.detector.runners.torch_runner import TorchRunner
from rcae.evaluation.metrics.regions import pixel_metrics
from rcae.line.feedback.journal import ReviewedImage, reviewed_images
from rcae.line.feedback.proposal import Judged, Proposal
from rcae.line.feedback.recalibration import calibration_from, scored_by
from rcae.training.fine_tuning import fine_tune
from rcae.training.training_data import GoodParts, open_good_parts, require_same_data


@dataclass(frozen=True)
class FineTuning:
    """Request to fine-tune stage 3."""

    data: Data
    """The category that the run was trained on."""
    steps: int | None = None
    """Number of steps; None takes a tenth of the steps of stage 3."""


def propose(
    folder: RunFolder,
    false_alarm_rate: float | None = None,
    confidence: float | None = None,
    fine_tuning: FineTuning | None = None,
) -> Proposal:
    """Calibrate with confirmed good images as well, and fine-tune on half of them if requested.

    Images with the verdict defect leave the calibration. They are never trained on.
    Nothing is written.

    Args:
        folder: folder of a finished run.
        false_alarm_rate: guaranteed rate; the default is the rate of the present calibration, or
            the lowest that the images of a fine-tuned model support.
        confidence: confidence of the guarantee; the default is that of the present calibration if no
            rate is given.
        fine_tuning: request to fine-tune stage 3; None skips it.

    Raises:
        UsageError: the run is not finished, there is no new feedback, or there are too few images
            for the rate. An image that is needed again is gone.
        CheckpointError: the model, the journal, or one of the lists is damaged.
        DataError, ImageError, TrainingError: the errors of training.
    """
    folder.require_finished()
    model, reviewed = load_model(folder.model), reviewed_images(folder)
    present = model.header.calibration
    is_asked = false_alarm_rate is not None
    if false_alarm_rate is None:
        false_alarm_rate, confidence = present.false_alarm_rate, confidence or present.confidence
    images = calibration_images(folder.path, model.header)
    kept = tuple(image for image in images if image.sha256 not in _said(reviewed, "defect"))
    known = {image.sha256 for image in images} | learnt_images(folder, model.header)
    confirmed = {d: path for d, path in _said(reviewed, "good").items() if d not in known}
    if not confirmed and len(kept) == len(images):
        raise UsageError(
            f"{folder.feedback} holds nothing that would change the calibration: no confirmed good image "
            "that is new to it, and no defective one that is in it. See 'rcae feedback list'."
        )
    description = f"calibrated with {len(confirmed)} confirmed good images"
    learnt: list[str] = []
    changed, session_scores = model, present.scores_of_training_session
    cross_fitted = present.cross_fitted_scores
    if fine_tuning is None:
        calibrated_on = (
            *kept,
            *scored_by(model, confirmed),
        )
    else:
        learnt = sorted(confirmed)[::2]
        if not learnt:
            raise UsageError("there is no new confirmed good image to fine-tune with.")
        parts = _same_parts(folder, model, fine_tuning)
        changed = _fine_tuned(model, parts, fine_tuning, {d: confirmed[d] for d in learnt})
        of_session = scored_by(changed, parts.calibration_by_hash)
        session_scores = tuple(sorted(scores_of(of_session)))
        description = f"fine-tuned on {len(learnt)} confirmed good images, {description}"
        held_out = {d: path for d, path in confirmed.items() if d not in learnt}
        calibrated_on = scored_by(changed, _files(kept) | held_out)
        cross_fitted = ()  # those scores were the old model's
        if not is_asked and confidence is None:
            false_alarm_rate = max(false_alarm_rate, 1 / (len(calibrated_on) + 1))
    calibration = calibration_from(
        calibrated_on, session_scores, false_alarm_rate, confidence, cross_fitted
    )
    new = Model(changed.system, replace(changed.header, calibration=calibration))
    in_use, candidate = (Detector(TorchRunner(each)) for each in (model, new))
    masked = [image for image in reviewed if image.mask is not None]
    return Proposal(
        folder=folder,
        model=new,
        calibration_images=calibrated_on,
        judged=_judged(reviewed, in_use, candidate, learnt),
        mask_count=len(masked),
        pixel_ap=(_pixel_ap(masked, in_use), _pixel_ap(masked, candidate)) if masked else None,
        description=description,
    )


def _said(reviewed: Sequence[ReviewedImage], verdict: str) -> dict[str, Path]:
    """Return the images of one verdict, by their hash."""
    chosen = (image for image in reviewed if image.feedback.verdict == verdict)
    return {image.feedback.sha256: image.image for image in chosen}


def _files(images: Sequence[CalibrationImage]) -> dict[str, Path]:
    """Return the paths of the images, by their hash; refuse changed files."""
    for image in images:
        path = Path(image.path)
        if not path.is_file() or hash_file(path) != image.sha256:
            raise UsageError(
                f"{path}, an image of the present calibration, is gone or was changed, but a fine-tuned "
                "model must be calibrated anew; restore it, or run 'rcae calibrate' on other images first."
            )
    return {image.sha256: Path(image.path) for image in images}


def _same_parts(folder: RunFolder, model: Model, wish: FineTuning) -> GoodParts:
    """Return the images that the run was trained and calibrated on."""
    parts = open_good_parts(folder.source_of(wish.data), model.header.settings)
    require_same_data(parts, folder)
    return parts


def _fine_tuned(
    model: Model, parts: GoodParts, wish: FineTuning, confirmed: dict[str, Path]
) -> Model:
    before = model.header.provenance.get(FINE_TUNED_ON, [])
    provenance = {**model.header.provenance, FINE_TUNED_ON: [*before, *confirmed]}
    system = fine_tune(model, parts.training.paths, [*confirmed.values()], wish.steps)
    return Model(system, replace(model.header, provenance=provenance))


def _judged(
    reviewed: Sequence[ReviewedImage], old: Detector, new: Detector, learnt: Sequence[str]
) -> tuple[Judged, ...]:
    return tuple(
        Judged(
            image,
            rejected_before=old.predict(image.image).is_defective,
            rejected_after=new.predict(image.image).is_defective,
            was_learnt=image.feedback.sha256 in learnt,
        )
        for image in shown(reviewed, "comparing the models", total=len(reviewed))
    )


def _pixel_ap(masked: Sequence[ReviewedImage], detector: Detector) -> float:
    def maps_and_masks() -> Iterator[tuple[Array, Mask]]:
        for image in masked:
            assert image.mask is not None
            yield detector.predict(image.image).anomaly_map, read_mask(image.mask)

    return pixel_metrics(maps_and_masks)["pixel_ap"] or 0.0
