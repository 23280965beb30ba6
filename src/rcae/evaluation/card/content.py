"""Content of a model card: purpose, origin, promise, measured results and limits of a model."""

from dataclasses import dataclass

from rcae.base.text import printable
from rcae.detector.calibration import images_needed
from rcae.drawing.page import percent
from rcae.evaluation.card.measured import NOT_MEASURED, limits_measured, measured_section
from rcae.evaluation.card.past_evaluation import PastEvaluation
from rcae.evaluation.card.section import Section
from rcae.evaluation.card.sources import Sources

SURE_COUNT = images_needed(0.05, confidence=0.95)
"""Smallest number n of calibration images with 0.95^n < 0.05 (Wilks, 1941).

Their highest score exceeds those of 95 % of good images with a confidence of 95 %.
"""

NOT_FOR = (
    "Other parts, cameras, distances or light: it knows its training images and nothing else.",
    "Telling one kind of defect from another: it learnt from good images alone.",
    "Being the only safeguard where a missed defect can do harm: no share of defects found is promised.",
)
GENERAL_LIMITS = (
    "Faint defects on strong textures need far more training steps than clear ones.",
    "Logical defects (a part missing or in the wrong place) are not what it looks for.",
    "Colour and grey images only; all share one scale, so camera and distance must stay as they were.",
    "A working image above 1024 px a side is drawn in overlapping tiles; what only the whole image "
    "shows may move its map a little.",
)
ON_AVERAGE = (
    "It is an average over sets of calibration images: the rate of this very threshold may be higher or "
    "lower."
)
EXPOSURE = {
    "equal": "A brighter or darker picture is evened out.",
    "camera": "A brighter or darker picture breaks it.",
}


@dataclass(frozen=True)
class Card:
    """All content of the card, in reading order."""

    title: str
    summary: str
    sections: tuple[Section, ...]


def card_of(sources: Sources) -> Card:
    """Make the card of a model; equal sources give an equal card."""
    evaluation = sources.evaluation
    return Card(
        title=f"Model card: {printable(sources.record.data.category)}",
        summary=_summary(evaluation),
        sections=(
            *_purpose(sources),
            _data(sources),
            _training(sources),
            _guarantee(sources),
            NOT_MEASURED if evaluation is None else measured_section(evaluation),
            _limits(sources),
        ),
    )


def _summary(evaluation: PastEvaluation | None) -> str:
    if evaluation is None:
        return "This model was not evaluated: how many defects it finds is not known."
    found, alarms = evaluation.found(), evaluation.false_alarms
    return (
        f"At its threshold it finds {found.count} of {found.total} defective test images and raises a "
        f"false alarm on {alarms.count} of {alarms.total} good ones."
    )


def _purpose(sources: Sources) -> tuple[Section, Section]:
    category = printable(sources.record.data.category)
    return (
        Section(
            "What it is for",
            points=(
                f"Finding and localising defects in images of {category}: an anomaly score for each "
                "image, a decision at a fixed threshold, and a map of where the image is unlike good "
                "ones.",
                "Images of the same kind of part, from the same camera at the same distance, under "
                "the same light as the good images it was trained and calibrated on.",
            ),
        ),
        Section("What it is not for", points=NOT_FOR),
    )


def _data(sources: Sources) -> Section:
    data, learnt = sources.record.data, sources.header.provenance.get("fine_tuned_on", [])
    fine_tuned = {"Fine-tuned on": f"{len(learnt)} confirmed good images"} if learnt else {}
    return Section(
        "Data",
        facts={
            "Category": printable(data.category),
            "Layout": data.layout,
            "Training images": f"{data.training_images} good ones",
            "Held out of training": f"{data.calibration_images} good ones",
            **fine_tuned,
            "Data list (SHA-256)": data.sha256,
            "Licence of the images": data.licence or "not given",
        },
    )


def _training(sources: Sources) -> Section:
    record, training = sources.record, sources.header.settings.training
    machine, timings = record.machine, record.timings_s
    return Section(
        "Training",
        text=("All settings are in settings.toml, which repeats the run.",),
        facts={
            **sources.header.training_facts,
            "Batch": f"{training.batch_size} windows of {training.crop_px} px",
            "Learning rate": f"{training.learning_rate:g}, {training.schedule}",
            "Time": f"{timings.training:.0f} s of training, {timings.finishing:.0f} s of finishing",
            "Machine": f"{machine.system}, {machine.cores} cores, {machine.device}, processes: "
            f"{machine.processes}",
            "Versions": ", ".join(f"{name} {version}" for name, version in record.versions.items()),
            "Weights (SHA-256)": sources.weights_sha256,
        },
    )


def _guarantee(sources: Sources) -> Section:
    calibration = sources.header.calibration
    sure = calibration.confidence
    how = "on average" if sure is None else f"with {percent(sure)} confidence"
    of_session = calibration.is_of_training_session
    session = "of the training session" if of_session else "not of the training session"
    return Section(
        "Guarantee",
        text=(calibration.promise,),
        facts={
            "Threshold": f"{calibration.threshold:.4g}; scores at or above it are defective",
            "False-alarm rate": f"at most {percent(calibration.false_alarm_rate)}, {how}",
            "Calibration images": f"{len(calibration.scores)}, {session}",
            "Training images that help": f"{len(calibration.cross_fitted_scores)}",
        },
        points=(
            "Light from elsewhere, another focus, camera, distance or variant of the part breaks it.",
            EXPOSURE[sources.header.settings.image.exposure],
            *([ON_AVERAGE] if sure is None else []),
            "It says nothing about how many defects are found.",
        ),
    )


def _limits(sources: Sources) -> Section:
    calibration, evaluation = sources.header.calibration, sources.evaluation
    count, points = len(calibration.scores), list(GENERAL_LIMITS)
    if calibration.is_of_training_session:
        points.append(
            "Its threshold comes from images of the training session. Images of other days may differ, "
            "and then more good ones reach it: 'rcae calibrate' takes the threshold from such images."
        )
    if count < SURE_COUNT and calibration.confidence is None:
        points.append(
            f"It was calibrated on {count} images. With fewer than {SURE_COUNT}, not even their "
            "highest score lies above those of 95 % of good images with a confidence of 95 %."
        )
    if evaluation is None:
        points.append("It was not evaluated: which defects it finds is not known.")
    else:
        points += limits_measured(evaluation, calibration.false_alarm_rate)
    return Section("Known limits", points=tuple(points))
