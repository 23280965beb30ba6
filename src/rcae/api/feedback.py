"""Feedback of people on decisions, and a model that follows it; `rcae feedback` does the same."""

from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from rcae.base.errors import UsageError
from rcae.base.extras import require
from rcae.base.progress import Callback, following
from rcae.base.storage import refusals_named
from rcae.line.record.opening import STORE, kept_images, open_existing_record

if TYPE_CHECKING:
    from rcae.data.layouts.source import Data
    from rcae.detector.run.run_folder import RunFolder
    from rcae.line.feedback.import_reviews import Imported
    from rcae.line.feedback.journal import Feedback
    from rcae.line.feedback.proposal import Proposal

__all__ = ["add", "import_reviews", "propose", "read"]


@refusals_named()
def add(
    run: str | Path,
    image: str | Path,
    verdict: Literal["good", "defect"],
    *,
    mask: str | Path | None = None,
    note: str = "",
    author: str | None = None,
) -> "Feedback":
    """Record what an image really shows; the run keeps a copy of it.

    >>> said = rcae.feedback.add("runs/parts", "new/0001.png", "good", note="water drop")
    >>> said.verdict, said.note
    ('good', 'water drop')

    Args:
        run: Folder of a finished run.
        image: File that was inspected.
        verdict: Content of the image: "good" or "defect".
        mask: Mask of the defect, white inside; used for evaluation only.
        note: Free text.
        author: Name of the reviewer; the default is the user of this computer.

    Raises:
        UsageError: the run is not finished, or a mask is given for a good image.
        RcaeError: the errors of `Detector.predict` and `add_feedback`.
    """
    folder = _finished(run)
    from rcae.detector.detector import Detector
    from rcae.line.feedback.journal import add_feedback

    detection = Detector.load(run).predict(image)
    place = None if mask is None else Path(mask)
    return add_feedback(
        folder, Path(image), verdict, detection, mask=place, note=note, author=author
    )


@refusals_named()
def import_reviews(run: str | Path, store: str = STORE) -> "Imported":
    """Import the reviews of images that this model inspected at a line, once each.

    Only images with a kept picture are imported. The last review of each counts.

    Args:
        run: Folder of a finished run.
        store: Record: a file (SQLite), or postgresql://user:password@host/database.

    Raises:
        UsageError: the run is not finished, or there is no such record.
        RcaeError: the errors of `Record.open` and `rcae.line.feedback.import_reviews.import_reviews`.
    """
    folder = _finished(run)
    from rcae.detector.detector import Detector
    from rcae.line.feedback import import_reviews as reviews

    model_sha256 = Detector.load(run).runner.weights_sha256
    with closing(open_existing_record(store, purpose="feedback from a record")) as record:
        return reviews.import_reviews(folder, record, kept_images(store), model_sha256)


@refusals_named()
def read(run: str | Path) -> "tuple[Feedback, ...]":
    """Return all feedback of a run, in order.

    >>> said = rcae.feedback.add("runs/parts", "new/0001.png", "defect")
    >>> rcae.feedback.read("runs/parts")[-1].verdict
    'defect'

    Args:
        run: Folder of a finished run.

    Raises:
        UsageError: the run is not finished.
        CheckpointError: the journal is damaged.
    """
    folder = _finished(run)
    from rcae.line.feedback.journal import read_feedback

    return read_feedback(folder)


@refusals_named()
def propose(
    run: str | Path,
    *,
    false_alarm_rate: float | None = None,
    confidence: float | None = None,
    fine_tune: "str | Data | None" = None,
    steps: int | None = None,
    quiet: bool = False,
    callbacks: Sequence[Callback] = (),
) -> "Proposal":
    """Calibrate with the confirmed good images too, and compare both models; nothing is replaced yet.

    `Proposal.accept` replaces the model in use and keeps the old one.

    >>> said = rcae.feedback.add("runs/parts", "new/0001.png", "good")
    >>> proposal = rcae.feedback.propose("runs/parts", quiet=True)
    >>> proposal
    Proposal(calibrated with 1 confirmed good images)
    >>> proposal.accept()  # the number that rcae.restore takes
    1

    Args:
        run: Folder of a finished run.
        false_alarm_rate: Rate to guarantee; the default is the present rate.
        confidence: Confidence of the guarantee, see `rcae.calibrate`.
        fine_tune: Category that the run was trained on; CRD is then fine-tuned as well.
        steps: Steps of fine-tuning; the default is a tenth of stage 3.
        quiet: True shows no progress.
        callbacks: Functions that get every `rcae.Progress`.

    Raises:
        UsageError: there is no new feedback, or `steps` is given without `fine_tune`.
        RcaeError: the errors of `rcae.line.feedback.apply.propose`.
    """
    if steps is not None and fine_tune is None:
        raise UsageError("--steps needs --fine-tune DATA; give both, or neither.")
    folder = _finished(run)
    from rcae.data.layouts.source import DataSource
    from rcae.line.feedback import apply

    wish = None if fine_tune is None else apply.FineTuning(DataSource.of(fine_tune), steps)
    with following(quiet=quiet, callbacks=callbacks):
        return apply.propose(folder, false_alarm_rate, confidence, wish)


def _finished(run: str | Path) -> "RunFolder":
    """Return the folder of a finished run, once everything that feedback needs is installed."""
    require("torch", "safetensors", "filelock", purpose="feedback")
    from rcae.detector.run.run_folder import RunFolder

    folder = RunFolder(Path(run))
    folder.require_finished()
    return folder
