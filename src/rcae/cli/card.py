"""`rcae card`: the model card of a run, signed on request."""

from pathlib import Path

import click

from rcae.cli.options import PATH


@click.command()
@click.argument("run", type=PATH)
@click.option("--licence", help="Licence of the images, like 'CC BY 4.0'; kept in run.json.")
@click.option(
    "--sign", "key", type=PATH, metavar="KEY", help="Private key (PEM) to sign model and card with."
)
def card(run: Path, licence: str | None, key: Path | None) -> None:
    """Write the model card of RUN, card.md and card.html, from the files of the run folder.

    \b
      rcae card runs/parts                                after 'rcae evaluate runs/parts parts/'
      rcae card runs/parts --licence 'CC BY 4.0'
      rcae card runs/parts --sign line-3.key              also manifest.json and its signature
    """
    from rcae.detector.run.keys import read_private_key
    from rcae.detector.run.run_folder import RunFolder
    from rcae.detector.run.signature import sign
    from rcae.evaluation.card.output import write_card

    folder = RunFolder(run)
    private_key = None if key is None else read_private_key(key)
    click.echo(f"card: {write_card(folder, licence)}", err=True)
    if private_key is not None:
        sign(folder, private_key)
        click.echo(f"signed: {folder.manifest}", err=True)
    elif folder.manifest.exists():
        click.echo(
            f"{folder.manifest} was signed before this card was written: add --sign KEY.", err=True
        )
