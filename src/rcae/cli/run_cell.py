"""`rcae run-cell`: one cell of a benchmark, in a process of its own."""

from pathlib import Path

import click

from rcae.cli.options import PATH


@click.command(hidden=True)
@click.argument("folder", type=PATH)
def run_cell(folder: Path) -> None:
    """Train and evaluate one cell of a benchmark; `benchmark` and `reproduce` call this."""
    from rcae.base.machine import end_with_parent
    from rcae.study.cell import CellFolder
    from rcae.study.cell import run_cell as run

    end_with_parent()
    run(CellFolder(folder))
