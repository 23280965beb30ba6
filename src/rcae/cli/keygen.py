"""`rcae keygen`: a key pair that signs and verifies."""

from pathlib import Path

import click

from rcae.cli.options import PATH


@click.command()
@click.option("-o", "--output", "key", type=PATH, required=True, help="File for the private key.")
def keygen(key: Path) -> None:
    """Create an Ed25519 key pair: -o KEY signs and stays secret, KEY.pub verifies.

    \b
      rcae keygen -o line-3.key
      rcae card runs/parts --sign line-3.key
      rcae predict runs/parts new/ -o results/ --require-signature line-3.key.pub
    """
    from rcae.api import trusting

    public_key = trusting.keygen(key)
    click.echo(f"private key: {key}, keep it secret; public key: {public_key}", err=True)
