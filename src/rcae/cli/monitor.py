"""`rcae monitor`: drift of recent scores from the calibration scores."""

from pathlib import Path

import click

from rcae.base.errors import DriftError
from rcae.cli.options import PATH


@click.command()
@click.argument("run", type=PATH)
@click.argument("predictions", type=PATH, nargs=-1, required=True, metavar="PREDICTIONS...")
@click.option(
    "--false-alarm-rate",
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    default=0.01,
    show_default=True,
    help="Probability of ever reporting drift while nothing changes.",
)
@click.option("-o", "--output", type=PATH, help="Folder for drift.json and drift.png.")
def monitor(
    run: Path, predictions: tuple[Path, ...], false_alarm_rate: float, output: Path | None
) -> None:
    """Test recent scores for drift from the calibration scores of RUN.

    PREDICTIONS are files predictions.jsonl of 'rcae predict', oldest first. The exit code is 8 if the
    scores drifted. The report names the first drifted image, and tells more defects from a shift of all
    scores.

    \b
      rcae predict runs/parts monday/ -o monday-results
      rcae monitor runs/parts monday-results/predictions.jsonl -o drift/
    """
    from rcae.api import trusting
    from rcae.evaluation.drift.drift_report import report, verdict, write_watched
    from rcae.evaluation.drift.monitor import DriftVerdict

    watched = trusting.monitor(run, predictions, false_alarm_rate=false_alarm_rate)
    click.echo(report(watched))
    if output is not None:  # the report stands whatever the disk says
        write_watched(output, watched)
        click.echo(f"chart: {output / 'drift.png'}", err=True)
    if watched.end.verdict is not DriftVerdict.NONE:
        raise DriftError(f"{verdict(watched)}.")
