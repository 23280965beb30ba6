"""`rcae run-job`: one model of `rcae train-many`, in a process of its own."""

from pathlib import Path

import click

from rcae.cli.options import PATH


@click.command(hidden=True)
@click.argument("folder", type=PATH)
def run_job(folder: Path) -> None:
    """Train and evaluate one model; `train-many` calls this."""
    from rcae.base.machine import end_with_parent
    from rcae.many.job import JobFolder
    from rcae.many.job import run_job as run

    end_with_parent()
    run(JobFolder(folder))
