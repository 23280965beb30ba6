"""Functions that tell what a model is worth: info, card, keygen, compare, monitor."""

from collections.abc import Sequence
from pathlib import Path

from rcae.api.arguments import Images, texts
from rcae.base.progress import Callback, following, say, shown
from rcae.base.storage import refusals_named
from rcae.data.layouts.source import Data, DataSource
from rcae.data.result_folders import require_apart
from rcae.detector.detector import Detector
from rcae.detector.facts import facts_of
from rcae.detector.predictions import read_predictions
from rcae.detector.run.run_folder import RunFolder
from rcae.evaluation.compare import compare_models
from rcae.evaluation.compare_report import write_comparison
from rcae.evaluation.comparison import Comparison
from rcae.evaluation.drift.drift_report import Watched, watch, write_watched

DRIFT_RATE = 0.01
"""Probability of ever reporting drift while nothing changes, unless given (our choice)."""


@refusals_named()
def info(run: str | Path) -> dict[str, str]:
    """Return the facts of a model by their names: data, sizes, settings, evidence, threshold and promise.

    >>> rcae.info("runs/parts")["Training images"]
    '12'

    Args:
        run: Run folder, its model file, or an exported file.

    Raises:
        RcaeError: the errors of `Detector.load`.
    """
    return facts_of(Detector.load(run))


@refusals_named()
def card(run: str | Path, *, licence: str | None = None, sign: str | Path | None = None) -> Path:
    """Write the model card of a run, card.md and card.html, and return the path of card.html.

    >>> evaluation = rcae.evaluate("runs/parts", "parts", "runs/parts/evaluation", quiet=True)
    >>> rcae.card("runs/parts", licence="CC BY 4.0").name
    'card.html'

    Args:
        run: Folder of a finished run.
        licence: Licence of the images; kept in run.json.
        sign: Private key (PEM) that signs model and card; manifest.json and its signature are then written.

    Raises:
        MissingExtraError: PyTorch is not installed, or cryptography where `sign` is given.
        RcaeError: the errors of `write_card` and `rcae.detector.run.signature.sign`.
    """
    from rcae.detector.run.keys import read_private_key
    from rcae.detector.run.signature import sign as sign_run
    from rcae.evaluation.card.output import write_card

    folder = RunFolder(Path(run))
    private_key = None if sign is None else read_private_key(Path(sign))
    page = write_card(folder, licence)
    if private_key is not None:
        sign_run(folder, private_key)
        say(f"signed: {folder.manifest}")
    elif folder.manifest.exists():
        say(f"{folder.manifest} was signed before this card was written: add --sign KEY.")
    return page


@refusals_named()
def keygen(output: str | Path) -> Path:
    """Create an Ed25519 key pair, and return the path of the public key.

    >>> rcae.keygen("line-3.key").name
    'line-3.key.pub'

    Args:
        output: File for the private key, which signs and stays secret.

    Raises:
        MissingExtraError: cryptography is not installed.
        UsageError: the file already exists.
    """
    from rcae.detector.run.keys import write_key_pair

    return write_key_pair(Path(output))


@refusals_named()
def compare(
    run_a: str | Path,
    run_b: str | Path,
    data: str | Data,
    output: str | Path | None = None,
    *,
    quiet: bool = False,
    callbacks: Sequence[Callback] = (),
) -> Comparison:
    """Test whether model B is significantly better than model A on the same test images.

    >>> comparison = rcae.compare("runs/parts", "runs/other", "parts", quiet=True)
    >>> comparison
    Comparison(parts: 0 of 8 images change decision: 0 found only by A, ...)

    Args:
        run_a: Run folder, its model file, or an exported file.
        run_b: Another one.
        data: Category with good and defective test images, see `rcae.train`.
        output: Folder for comparison.html, comparison.json and changes.csv; None writes nothing.
        quiet: True shows no progress, and no message below a warning.
        callbacks: Functions that get every `rcae.Progress`.

    Raises:
        UsageError: both are the same model, or `output` lies where the images are read.
        RcaeError: the errors of `compare_models`.
    """
    source = DataSource.of(data)
    folder = None if output is None else Path(output)
    if folder is not None:
        require_apart(folder, source.read_folders)
    with following(quiet=quiet, callbacks=callbacks):
        comparison = compare_models(Path(run_a), Path(run_b), source)
        if folder is not None:
            write_comparison(folder, comparison)
    return comparison


@refusals_named()
def monitor(
    run: str | Path,
    predictions: Images,
    output: str | Path | None = None,
    *,
    false_alarm_rate: float = DRIFT_RATE,
    quiet: bool = False,
    callbacks: Sequence[Callback] = (),
) -> Watched:
    """Test recent scores for drift from the calibration scores; `rcae.Monitor` takes scores one by one.

    >>> counts = rcae.predict("runs/parts", "new", "results", quiet=True)
    >>> rcae.monitor("runs/parts", "results/predictions.jsonl", quiet=True).end.verdict.name
    'NONE'

    Args:
        run: Run folder, its model file, or an exported file.
        predictions: Files predictions.jsonl of `rcae.predict`, oldest first.
        output: Folder for drift.json and drift.png; None writes nothing.
        false_alarm_rate: Probability of ever reporting drift while nothing changes.
        quiet: True shows no progress.
        callbacks: Functions that get every `rcae.Progress`.

    Raises:
        RcaeError: the errors of `Detector.load` and `read_predictions`.
    """
    calibration = Detector.load(run).calibration
    files = [Path(text) for text in texts(predictions)]
    with following(quiet=quiet, callbacks=callbacks):
        watched = watch(calibration, shown(read_predictions(files), "comparing"), false_alarm_rate)
        if output is not None:
            write_watched(Path(output), watched)
    return watched
