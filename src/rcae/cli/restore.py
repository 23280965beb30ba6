"""`rcae restore`: an earlier model of a run, brought back."""

from pathlib import Path

import click

from rcae.base.extras import require
from rcae.cli.options import PATH


@click.command()
@click.argument("run", type=PATH)
@click.argument("version", type=int, required=False)
def restore(run: Path, version: int | None) -> None:
    """List the earlier models of RUN, or bring one back.

    Every command that replaces the model of a run keeps the old one under a number. A restore keeps the
    replaced model as well.

    \b
      rcae restore runs/parts        the list of models
      rcae restore runs/parts 1      the model before the first change
    """
    require("torch", "safetensors", purpose="restoring a model")
    from rcae.api import learning
    from rcae.detector.run import versions
    from rcae.detector.run.run_folder import RunFolder

    if version is None:
        folder = RunFolder(run)
        folder.require_finished()
        click.echo(versions.table(versions.list_versions(folder)))
        return
    kept_as = learning.restore(run, version)
    click.echo(
        f"version {version} is the model of {run} again; the one before is version {kept_as}"
    )
