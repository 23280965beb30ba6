"""`rcae feedback add | import | list | apply`: verdicts of people, and a model that follows them."""

import sys
from pathlib import Path
from typing import Literal

import click

from rcae.cli.options import PATH
from rcae.cli.record_options import store_option


@click.group()
def feedback() -> None:
    """Record what inspected images really show, and update the model of a run.

    \b
      rcae feedback add runs/parts new/0007.png --good
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

    \b
      rcae feedback add runs/parts new/0007.png --good --note "water drop"
      rcae feedback add runs/parts new/0011.png --defect --mask 0011-mask.png
    """
    from rcae.api import feedback as people

    if is_good is None:
        raise click.UsageError("say --good or --defect", click.get_current_context())
    verdict: Literal["good", "defect"] = "good" if is_good else "defect"
    entry = people.add(run, image, verdict, mask=mask, note=note, author=author)
    said = "defective" if entry.anomaly_score >= entry.threshold else "good"
    click.echo(
        f"{image}: {verdict}, says the person; the model says {said}, score "
        f"{entry.anomaly_score:.4g}, threshold {entry.threshold:.4g}"
    )


@feedback.command("import")
@click.argument("run", type=PATH)
@store_option
def import_feedback(run: Path, store: str) -> None:
    """Import the reviews of images that this model of RUN inspected at a line, once each.

    Only images with a kept picture are imported. The last review of each counts.

    \b
      rcae feedback import runs/parts --store inspections.sqlite
    """
    from rcae.api.feedback import import_reviews

    counts = import_reviews(run, store)
    click.echo(
        f"{counts.added} taken over, {counts.known} were known, {counts.not_kept} pictures are not kept"
    )


@feedback.command("list")
@click.argument("run", type=PATH)
def list_feedback(run: Path) -> None:
    """Print all feedback in order.

    \b
      rcae feedback list runs/parts
    """
    from rcae.api.feedback import read

    entries = read(run)
    from rcae.line.feedback.journal import table

    click.echo(table(entries))


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

    \b
      rcae feedback apply runs/parts
      rcae feedback apply runs/parts --fine-tune parts/ --yes
    """
    from rcae.api.feedback import propose

    proposal = propose(
        run,
        false_alarm_rate=false_alarm_rate,
        confidence=confidence,
        fine_tune=data,
        steps=steps,
    )
    click.echo(str(proposal))
    if not yes and not (sys.stdin.isatty() and click.confirm("Replace the model in use?")):
        click.echo("nothing was replaced; add --yes to replace the model in use")
        return
    click.echo(f"replaced; the old model is kept as version {proposal.accept()}")
