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
    from rcae.api import trusting

    click.echo(f"card: {trusting.card(run, licence=licence, sign=key)}", err=True)
