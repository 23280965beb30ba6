"""`rcae evaluate`: metrics of a run on test images."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from rcae.cli.options import (
    FOLDER,
    PATH,
    Loading,
    data_argument,
    loading_options,
    masks_options,
)

if TYPE_CHECKING:
    from rcae.data.layouts.source import DataSource


@click.command()
@click.argument("run", type=PATH)
@data_argument
@masks_options
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of a table.")
@click.option(
    "-o", "--output", type=FOLDER, help="Folder for the results; the default is RUN/evaluation."
)
@loading_options
def evaluate(
    run: Path,
    data: "DataSource",
    as_json: bool,
    output: Path | None,
    loading: Loading,
) -> None:
    """Score the test images of DATA with RUN; write report.html, metrics.json and scores.csv.

    \b
      rcae evaluate runs/parts parts/
      rcae evaluate parts.onnx parts/ -o evaluation/ --json
    """
    from rcae.api import learning

    folder = output or (run if run.is_dir() else run.parent) / "evaluation"
    evaluation = learning.evaluate(run, data, folder, **loading.options)
    click.echo(evaluation.metrics.to_json() if as_json else str(evaluation))
    click.echo(f"report: {folder / 'report.html'}", err=True)
