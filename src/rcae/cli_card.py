"""The commands `rcae card` and `rcae keygen`, and the option that wants a signature."""

from pathlib import Path

import click

from rcae.cli_types import PATH

require_signature = click.option(
    "--require-signature",
    "public_key",
    type=PATH,
    metavar="PUBKEY",
    help="Load only what the key of this public key (PEM) signed with 'rcae card --sign'.",
)


@click.command()
@click.option("-o", "--output", "key", type=PATH, required=True, help="The private key's file.")
def keygen(key: Path) -> None:
    """Make a pair of Ed25519 keys: -o KEY signs and stays secret, KEY.pub verifies.

    \b
      rcae keygen -o line-3.key
      rcae card runs/parts --sign line-3.key
      rcae predict runs/parts new/ -o results/ --require-signature line-3.key.pub
    """
    from rcae.detector.run.keys import write_key_pair

    public_key = write_key_pair(key)
    click.echo(f"private key: {key}, keep it secret; public key: {public_key}", err=True)


@click.command()
@click.argument("run", type=PATH)
@click.option("--licence", help="Of the images, like 'CC BY 4.0'; kept in run.json.")
@click.option(
    "--sign", "key", type=PATH, metavar="KEY", help="Private key (PEM) to sign model and card with."
)
def card(run: Path, licence: str | None, key: Path | None) -> None:
    """Write the model card of RUN: card.md and card.html, from what the run folder holds.

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
