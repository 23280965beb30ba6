"""`rcae doctor`: problems of a folder, before training."""

import sys
from pathlib import Path
from typing import Literal

import click

from rcae.base.errors import ImageError
from rcae.cli.options import PATH, as_text


@click.command()
@click.argument("data", type=PATH)
@click.option(
    "--for",
    "purpose",
    type=click.Choice(["train", "evaluate"]),
    help="Fail only where this cannot run; the default is all that the images are there for.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of text.")
def doctor(data: Path, purpose: Literal["train", "evaluate"] | None, as_json: bool) -> None:
    """Check every image and mask of DATA once and list all problems.

    DATA is one category: MVTec AD layout, VisA (raw or reorganised), or a plain folder of good
    images. The exit code is 0 only if training can run, and evaluation where there are test images.
    """
    from rcae.base.progress import shown
    from rcae.data.doctor.examine import describe, examine

    diagnosis = examine(data, progress=lambda items: shown(items, "examining"))
    click.echo(as_text(diagnosis.to_json()) if as_json else describe(diagnosis))
    sys.exit(0 if diagnosis.allows(purpose) else ImageError.exit_code)
