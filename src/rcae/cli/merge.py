"""`rcae merge`: one table from the parts of a large inspection."""

from pathlib import Path

import click

from rcae.cli.options import FOLDER


@click.command()
@click.argument("output", type=FOLDER)
def merge(output: Path) -> None:
    """Write predictions.csv and predictions.jsonl from all parts in OUTPUT, each image exactly once.

    OUTPUT is the -o folder of 'rcae predict --shard' or '--ray'. A missing part is named, and nothing is
    written.

    \b
      rcae merge results/
    """
    from rcae.api import inspecting

    counts = inspecting.merge(output)
    click.echo(f"{counts.good} good, {counts.defective} defective: {output / 'predictions.csv'}")
    click.echo(f"{counts.unreadable} could not be inspected.", err=True)
