"""The two long jobs, training and evaluation, as plain functions for Python programs."""

from collections.abc import Sequence
from pathlib import Path

from rcae.base.storage import refusals_named
from rcae.data.layouts.source import Data, DataSource
from rcae.detector.detector import Detector
from rcae.evaluation.evaluate import Evaluation, evaluate_model


@refusals_named()
def train(
    data: str | Data,
    run: str | Path,
    *,
    preset: str | None = None,
    budget_s: float | None = None,
    seed: int | None = None,
    settings_file: str | Path | None = None,
    values: Sequence[str] = (),
    resume: bool = False,
) -> Detector:
    """Train on the good images of one category and return the finished detector.

    Args:
        data: a category: a folder in a known layout, a CSV or JSON list, or a `DataSource` that names
            folders.
        run: a new or empty folder that gets the model and everything about the run.
        preset: "quick" (the default), "standard" or "paper".
        budget_s: total time in seconds, at most a year. The number of steps is fixed from the measured
            speed and written down.
        seed: random seed; the default is 0.
        settings_file: TOML with any of the keys of a run's `settings.toml`.
        values: single settings, like "model.recursion_depth=3".
        resume: go on with an interrupted run.

    Raises:
        MissingExtraError: PyTorch is not installed.
        RcaeError: see `rcae.training.trainer.train`.
    """
    from rcae.training.request import Request
    from rcae.training.trainer import train as train_run

    request = Request(
        preset=preset,
        budget_s=budget_s,
        seed=seed,
        settings_file=None if settings_file is None else Path(settings_file),
        values=tuple(values),
    )
    train_run(DataSource.of(data), Path(run), request, resume=resume)
    return Detector.load(run)


@refusals_named()
def evaluate(run: str | Path, data: str | Data) -> Evaluation:
    """Score the test images of one category with a finished run and write nothing.

    Raises:
        RcaeError: see `rcae.evaluation.evaluate.evaluate_model`.
    """
    return evaluate_model(Path(run), Detector.load(run), DataSource.of(data))
