"""Functions that make and change a model: train, evaluate, calibrate, restore."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from rcae.api.arguments import Images, texts
from rcae.base.duration import seconds_of
from rcae.base.extras import require
from rcae.base.progress import Callback, following
from rcae.base.storage import refusals_named
from rcae.data.layouts.source import Data, DataSource
from rcae.data.result_folders import require_apart
from rcae.data.usual_image import SIZE_LIMIT
from rcae.detector.detector import Detector
from rcae.detector.run.run_folder import RunFolder
from rcae.evaluation.evaluate import evaluate_model
from rcae.evaluation.evaluate_report import write_evaluation
from rcae.evaluation.evaluation import Evaluation

if TYPE_CHECKING:
    from rcae.line.feedback.recalibration import Recalibration
    from rcae.training.observer import Observer


@refusals_named()
def train(
    data: str | Data,
    output: str | Path,
    *,
    preset: str | None = None,
    budget: str | float | None = None,
    seed: int | None = None,
    config: str | Path | None = None,
    set: Sequence[str] = (),  # noqa: A002
    resume: bool = False,
    log: str | None = None,
    quiet: bool = False,
    callbacks: Sequence[Callback] = (),
) -> Detector:
    """Train on the good images of one category and return the finished detector.

    >>> detector = rcae.train("parts", "runs/new", budget="10m", quiet=True)
    >>> detector
    Detector(parts, 12 training images, threshold ...)

    Args:
        data: Category: a folder in a known layout, a CSV or JSON list, or a `DataSource` that names folders.
        output: New or empty folder that gets the model and everything about the run.
        preset: "quick" (the default), "standard", "scratch" or "paper".
        budget: Total time: text like "10m" or "1h30m", or seconds; at most a year. The number of steps is
            fixed from the measured speed and written down.
        seed: Random seed; the default is 0.
        config: TOML with any of the keys of a run's `settings.toml`.
        set: Single settings, like ["model.recursion_depth=3"].
        resume: True continues an interrupted run.
        log: "tensorboard" or "mlflow", which follows the training; None logs nothing more.
        quiet: True shows no progress, and no message below a warning.
        callbacks: Functions that get every `rcae.Progress`: each step, with its loss.

    Raises:
        MissingExtraError: PyTorch is not installed.
        UsageError: the budget is no time, or too short; the error names the least that works.
        RcaeError: see `rcae.training.trainer.train`.
    """
    from rcae.training.request import Request
    from rcae.training.trainer import train as train_run

    request = Request(
        preset=preset,
        budget_s=None if budget is None else seconds_of(budget),
        seed=seed,
        settings_file=None if config is None else Path(config),
        values=tuple(set),
    )
    with following(quiet=quiet, callbacks=callbacks), _tracked(log) as observers:
        train_run(DataSource.of(data), Path(output), request, resume=resume, observers=observers)
    return Detector.load(output)


@contextmanager
def _tracked(tracker: str | None) -> Iterator[Sequence["Observer"]]:
    """Return the observers of a training: the tracker, if there is one."""
    if tracker is None:
        yield ()
        return
    from rcae.integrations.tracking import tracked

    with tracked(tracker) as observer:
        yield (observer,)


@refusals_named()
def evaluate(
    run: str | Path,
    data: str | Data,
    output: str | Path | None = None,
    *,
    threads: int | None = None,
    size_limit: float = SIZE_LIMIT,
    require_signature: str | Path | None = None,
    quiet: bool = False,
    callbacks: Sequence[Callback] = (),
) -> Evaluation:
    """Score the test images of one category with a finished run.

    >>> evaluation = rcae.evaluate("runs/parts", "parts", quiet=True)
    >>> evaluation.metrics.image_auroc
    1.0
    >>> evaluation
    Evaluation(parts: 8 images, 4 of 4 defects found, 0 false alarms)

    Args:
        run: Run folder, its model file, or an exported file.
        data: Category with test images, see `rcae.train`.
        output: Folder for report.html, metrics.json and scores.csv; None writes nothing.
        threads: Number of CPU threads, see `Detector.load`.
        size_limit: Largest factor between the sizes of images, see `Detector.load`.
        require_signature: Public key that must have signed the model.
        quiet: True shows no progress, and no message below a warning.
        callbacks: Functions that get every `rcae.Progress`.

    Raises:
        UsageError: `output` lies where the images are read.
        RcaeError: the errors of `Detector.load` and `rcae.evaluation.evaluate.evaluate_model`.
    """
    source = DataSource.of(data)
    folder = None if output is None else Path(output)
    if folder is not None:
        require_apart(folder, source.read_folders)
    with following(quiet=quiet, callbacks=callbacks):
        detector = Detector.load(
            run, threads=threads, size_limit=size_limit, require_signature=require_signature
        )
        evaluation = evaluate_model(Path(run), detector, source)
        if folder is not None:
            write_evaluation(folder, evaluation, detector)
    return evaluation


@refusals_named()
def calibrate(
    run: str | Path,
    images: Images,
    *,
    false_alarm_rate: float | None = None,
    confidence: float | None = None,
    quiet: bool = False,
    callbacks: Sequence[Callback] = (),
) -> "Recalibration":
    """Set the threshold of a run from good images of another day; the model before is kept.

    >>> found = rcae.calibrate("runs/parts", "tuesday", false_alarm_rate=0.05, quiet=True)
    >>> found.calibration.promise
    'On average at most 5.0% of good images taken under the same conditions as the 20 calibration images \
score at or above the threshold.'

    Args:
        run: Folder of a finished run.
        images: Files, folders or patterns of good images that were not trained on: one, or several.
        false_alarm_rate: Share of good images that may score at or above the threshold; the default is that
            of the run's settings.
        confidence: Probability, like 0.95, with which the rate is kept; None keeps it on average.
        quiet: True shows no progress, and no message below a warning.
        callbacks: Functions that get every `rcae.Progress`.

    Raises:
        MissingExtraError: PyTorch is not installed.
        RcaeError: see `rcae.line.feedback.recalibration.recalibrate`.
    """
    require("torch", "safetensors", purpose="calibrating a run")
    from rcae.line.feedback.recalibration import recalibrate

    with following(quiet=quiet, callbacks=callbacks):
        return recalibrate(Path(run), texts(images), false_alarm_rate, confidence)


@refusals_named()
def restore(run: str | Path, version: int) -> int:
    """Bring an earlier model of a run back; the model that it replaces is kept as well.

    >>> rcae.calibrate("runs/parts", "tuesday", quiet=True).kept_as
    1
    >>> rcae.restore("runs/parts", 1)
    2

    Args:
        run: Folder of a finished run.
        version: Number of the model, counted from 1 in the order of replacement.

    Returns:
        Number of the model that was replaced.

    Raises:
        MissingExtraError: PyTorch is not installed.
        UsageError: there is no such version; the error names those that are there.
    """
    require("torch", "safetensors", purpose="restoring a model")
    from rcae.detector.run.versions import restore as restore_version

    return restore_version(RunFolder(Path(run)), version)
