"""`rcae verify`: an exported file against its run."""

from pathlib import Path

import click

from rcae.cli.options import PATH


@click.command()
@click.argument("run", type=PATH)
@click.argument("file", type=PATH)
@click.argument("paths", nargs=-1, required=True, metavar="IMAGES...")
def verify(run: Path, file: Path, paths: tuple[str, ...]) -> None:
    """Compare an exported FILE with its RUN on your own images, in every installed runtime.

    IMAGES are files, folders or globs, or one category with test images. The labels of a category also
    give the AUROC of both. The exit code is 7 if scores or maps differ beyond the tolerance, or if a
    decision flips.

    \b
      rcae verify runs/parts parts.onnx parts/
    """
    from rcae.api import inspecting

    verification = inspecting.verify(run, file, paths)
    click.echo(str(verification))
    verification.require_agreement()
