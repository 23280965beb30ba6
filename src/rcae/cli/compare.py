"""`rcae compare`: two runs on the same test images."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from rcae.cli.options import PATH, data_argument, masks_options

if TYPE_CHECKING:
    from rcae.data.layouts.source import DataSource


@click.command()
@click.argument("run_a", type=PATH)
@click.argument("run_b", type=PATH)
@data_argument
@masks_options
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of a table.")
@click.option("-o", "--output", type=PATH, help="Folder for the page; the default writes nothing.")
def compare(
    run_a: Path, run_b: Path, data: "DataSource", as_json: bool, output: Path | None
) -> None:
    """Test whether RUN_B is significantly better than RUN_A on the test images of DATA.

    The option -o also writes comparison.html, comparison.json and changes.csv. The page shows the
    images whose decision changes.

    \b
      rcae compare runs/old runs/new parts/ -o comparison/
    """
    from rcae.api import trusting
    from rcae.data.result_folders import require_apart
    from rcae.evaluation.compare_report import to_json, write_comparison

    if output:
        require_apart(output, data.read_folders)
    comparison = trusting.compare(run_a, run_b, data)
    click.echo(to_json(comparison) if as_json else str(comparison))
    if output:  # the table stands whatever the disk says
        click.echo(f"page: {write_comparison(output, comparison)}", err=True)
