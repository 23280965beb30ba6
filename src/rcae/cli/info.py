"""`rcae info`: what a model is."""

import json
from pathlib import Path

import click

from rcae.cli.options import PATH


@click.command()
@click.argument("run", type=PATH)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of text.")
def info(run: Path, as_json: bool) -> None:
    """Say what the model of RUN is: its data, sizes, settings, evidence, threshold and promise.

    RUN is a run folder or an exported file.

    \b
      rcae info runs/parts
    """
    from rcae.api import trusting

    facts = trusting.info(run)
    if as_json:
        click.echo(json.dumps(facts, indent=2, ensure_ascii=False))
        return
    width = max(map(len, facts))
    for name, value in facts.items():
        click.echo(f"{name:{width}}  {value}")
