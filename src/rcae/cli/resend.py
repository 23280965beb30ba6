"""`rcae resend`: send the inspections again that an output could not deliver."""

import click

from rcae.cli.record_options import store_option
from rcae.line.record.opening import open_existing_record


@click.command()
@store_option
def resend(store: str) -> None:
    """Send the dead letters again: inspections that a broker or webhook refused.

    The process that sends to the output does it, at once or at its next start. An inspection that is refused
    again stays a dead letter.

    \b
      rcae resend --store /data/line-3.sqlite
    """
    record = open_existing_record(store, purpose="rcae resend")
    try:
        counts = record.dead_letters.counts()
        record.dead_letters.resend()
    finally:
        record.close()
    for output, count in counts.items():
        click.echo(f"{count} to be sent again to {output}")
    if not counts:
        click.echo("There are no dead letters.")
