"""`rcae feedback add | import | list | apply`: verdicts of people, and a model that follows them."""

import sys
from contextlib import closing
from pathlib import Path
from typing import Literal

import click

from rcae.base.extras import require
from rcae.cli.options import PATH
from rcae.cli.record_options import kept_images, open_existing_record, store_option


@click.group()
def feedback() -> None:
    """Record what inspected images really show, and update the model of a run.

    \b
      rcae feedback add runs/parts new/0007.png --good --note "water drop"
      rcae feedback add runs/parts new/0011.png --defect --mask 0011-mask.png
      rcae feedback import runs/parts --store inspections.sqlite
      rcae feedback list runs/parts
      rcae feedback apply runs/parts
    """


@feedback.command()
@click.argument("run", type=PATH)
@click.argument("image", type=PATH)
@click.option("--good/--defect", "is_good", default=None, help="Content of the image.")
@click.option(
    "--mask", type=PATH, help="Mask of the defect, white inside; used for evaluation only."
)
@click.option("--note", default="", help="Free text.")
@click.option("--author", help="Name of the reviewer; the default is the user of this computer.")
def add(
    run: Path, image: Path, is_good: bool | None, mask: Path | None, note: str, author: str | None
) -> None:
    """Record what IMAGE really shows; RUN keeps a copy of it.

    The journal RUN/feedback.jsonl is append-only. The last verdict on an image counts.
    """
    _require_installed()
    from rcae.detector.detector import Detector
    from rcae.detector.run.run_folder import RunFolder
    from rcae.line.feedback.journal import add_feedback

    if is_good is None:
        raise click.UsageError("say --good or --defect", click.get_current_context())
    folder = RunFolder(run)
    folder.require_finished()
    detection = Detector.load(run).predict(image)
    verdict: Literal["good", "defect"] = "good" if is_good else "defect"
    add_feedback(folder, image, verdict, detection, mask=mask, note=note, author=author)
    said = "defective" if detection.is_defective else "good"
    click.echo(
        f"{image}: {verdict}, says the person; the model says {said}, score "
        f"{detection.anomaly_score:.4g}, threshold {detection.threshold:.4g}"
    )


@feedback.command("import")
@click.argument("run", type=PATH)
@store_option
def import_feedback(run: Path, store: str) -> None:
    """Import the reviews of images that this model of RUN inspected at a line, once each.

    Only images with a kept picture are imported. The last review of each counts.
    """
    _require_installed()
    from rcae.detector.detector import Detector
    from rcae.detector.run.run_folder import RunFolder
    from rcae.line.feedback.import_reviews import import_reviews

    folder = RunFolder(run)
    folder.require_finished()
    model_sha256 = Detector.load(run).runner.weights_sha256
    with closing(open_existing_record(store, purpose="feedback from a record")) as record:
        counts = import_reviews(folder, record, kept_images(store), model_sha256)
    click.echo(
        f"{counts.added} taken over, {counts.known} were known, {counts.not_kept} pictures are not kept"
    )


@feedback.command("list")
@click.argument("run", type=PATH)
def list_feedback(run: Path) -> None:
    """Print all feedback in order."""
    _require_installed()
    from rcae.detector.run.run_folder import RunFolder
    from rcae.line.feedback.journal import read_feedback, table

    folder = RunFolder(run)
    folder.require_finished()
    click.echo(table(read_feedback(folder)))


@feedback.command()
@click.argument("run", type=PATH)
@click.option(
    "--false-alarm-rate",
    type=float,
    help="False-alarm rate of 'rcae calibrate'; the default is the present rate.",
)
@click.option("--confidence", type=float, help="Confidence of 'rcae calibrate'.")
@click.option(
    "--fine-tune",
    "data",
    type=PATH,
    help="Fine-tune CRD as well; DATA is the folder that RUN was trained on.",
)
@click.option(
    "--steps",
    type=click.IntRange(min=1),
    help="Steps of fine-tuning; the default is a tenth of stage 3.",
)
@click.option("--yes", is_flag=True, help="Replace the model without asking.")
def apply(
    run: Path,
    false_alarm_rate: float | None,
    confidence: float | None,
    data: Path | None,
    steps: int | None,
    yes: bool,
) -> None:
    """Recalibrate with the confirmed good images too, compare both models, then ask.

    The old model is kept: 'rcae restore' brings it back. Defective images are never trained on.
    """
    _require_installed()
    from rcae.detector.run.run_folder import RunFolder
    from rcae.line.feedback.apply import FineTuning, accept, propose
    from rcae.line.feedback.proposal import describe

    if steps is not None and data is None:
        raise click.UsageError("--steps needs --fine-tune DATA", click.get_current_context())
    folder = RunFolder(run)
    wish = None if data is None else FineTuning(data, steps)
    proposal = propose(folder, false_alarm_rate, confidence, wish)
    click.echo(describe(proposal))
    if not yes and not (sys.stdin.isatty() and click.confirm("Replace the model in use?")):
        click.echo("nothing was replaced; add --yes to replace the model in use")
        return
    click.echo(f"replaced; the old model is kept as version {accept(folder, proposal)}")


def _require_installed() -> None:
    require("torch", "safetensors", "filelock", purpose="feedback")
