"""`rcae calibrate`: a threshold from good images of another day."""

from pathlib import Path

import click

from rcae.cli.options import PATH


@click.command()
@click.argument("run", type=PATH)
@click.argument("paths", nargs=-1, required=True, metavar="GOOD_IMAGES...")
@click.option(
    "--false-alarm-rate",
    type=float,
    help="Share of good images that may score at or above the threshold. The default is the value of the "
    "run's settings (0.05).",
)
@click.option(
    "--confidence",
    type=float,
    help="Guarantee the rate with this probability, like 0.95, instead of on average; needs more images.",
)
def calibrate(
    run: Path, paths: tuple[str, ...], false_alarm_rate: float | None, confidence: float | None
) -> None:
    """Set the threshold of RUN from good images of another day.

    GOOD_IMAGES are files, folders or globs of good parts that were not trained on. They must be taken
    under the conditions of the line. The model with the old threshold is kept: 'rcae restore' brings
    it back.

    \b
      rcae calibrate runs/parts good-of-tuesday/ --false-alarm-rate 0.01
      rcae calibrate runs/parts good-of-tuesday/ --false-alarm-rate 0.01 --confidence 0.95
    """
    from rcae.api import learning

    found = learning.calibrate(run, paths, false_alarm_rate=false_alarm_rate, confidence=confidence)
    click.echo(str(found))
