"""`rcae doctor`: problems of a folder, before training."""

import sys
from typing import TYPE_CHECKING, Literal

import click

from rcae.base.errors import ImageError
from rcae.cli.options import as_text, data_argument, masks_options

if TYPE_CHECKING:
    from rcae.data.layouts.source import DataSource


@click.command()
@data_argument
@masks_options
@click.option(
    "--for",
    "purpose",
    type=click.Choice(["train", "evaluate"]),
    help="Fail only where this cannot run; the default is all that the images are there for.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of text.")
def doctor(data: "DataSource", purpose: Literal["train", "evaluate"] | None, as_json: bool) -> None:
    """Check every image and mask of DATA once and list all problems.

    DATA is one category: a folder in a known layout, or a CSV or JSON list of its images. The exit
    code is 0 only if training can run, and evaluation where there are test images.

    \b
      rcae doctor parts/
      rcae doctor parts/ --for train --json
    """
    from rcae.api import inspecting

    diagnosis = inspecting.doctor(data)
    click.echo(as_text(diagnosis.to_json()) if as_json else str(diagnosis))
    sys.exit(0 if diagnosis.allows(purpose) else ImageError.exit_code)
