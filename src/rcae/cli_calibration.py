"""The commands `rcae calibrate` and `rcae restore`, added to the others by `rcae.cli`."""

from pathlib import Path

import click

from rcae.base.extras import require
from rcae.cli_types import PATH


@click.command()
@click.argument("run", type=PATH)
@click.argument("paths", nargs=-1, required=True, metavar="GOOD_IMAGES...")
@click.option(
    "--false-alarm-rate",
    type=float,
    help="Of good images, the share that may score at or above the threshold; as in the run's settings "
    "(0.05) unless given.",
)
@click.option(
    "--confidence",
    type=float,
    help="Keep the rate with this probability, like 0.95, instead of on average; takes more images.",
)
def calibrate(
    run: Path, paths: tuple[str, ...], false_alarm_rate: float | None, confidence: float | None
) -> None:
    """Give RUN the threshold that follows from good images of another day.

    GOOD_IMAGES are files, folders or globs of good parts that were not trained on, taken as they will be
    at the line. The model with the old threshold is kept: 'rcae restore' brings it back.

    \b
      rcae calibrate runs/parts good-of-tuesday/ --false-alarm-rate 0.01
      rcae calibrate runs/parts good-of-tuesday/ --false-alarm-rate 0.01 --confidence 0.95
    """
    require("torch", "safetensors", purpose="calibrating a run")
    from rcae.recalibration import describe, recalibrate

    click.echo(describe(recalibrate(run, paths, false_alarm_rate, confidence)))


@click.command()
@click.argument("run", type=PATH)
@click.argument("version", type=int, required=False)
def restore(run: Path, version: int | None) -> None:
    """List the earlier models of RUN, or bring one back.

    Whenever a command replaces the model of a run, the old one is kept under a number. The model that
    a restored one replaces is kept as well.

    \b
      rcae restore runs/parts        what there is
      rcae restore runs/parts 1      the model before the first change
    """
    require("torch", "safetensors", purpose="restoring a model")
    from rcae.detector.run import versions
    from rcae.detector.run.run_folder import RunFolder

    folder = RunFolder(run)
    if version is None:
        folder.require_finished()
        click.echo(versions.table(versions.list_versions(folder)))
        return
    kept_as = versions.restore(folder, version)
    click.echo(
        f"version {version} is the model of {run} again; the one before is version {kept_as}"
    )
