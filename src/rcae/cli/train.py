"""`rcae train`: a folder of good images in, a run folder out."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from rcae.cli.options import PATH, Duration, data_argument

if TYPE_CHECKING:
    from rcae.data.layouts.source import DataSource


@click.command()
@data_argument
@click.option("-o", "--output", "run", type=PATH, required=True, help="Run folder to create.")
@click.option(
    "--preset",
    help="quick: two CPU cores (default). standard: one GPU. scratch: quick without anything pretrained. "
    "paper: the paper's setting.",
)
@click.option("--budget", "budget_s", type=Duration(), help="Total time, like 10m or 1h30m.")
@click.option("--seed", type=int, help="Random seed; the default is 0.")
@click.option("--config", "settings_file", type=PATH, help="TOML file with settings to change.")
@click.option("--set", "values", multiple=True, metavar="KEY=VALUE", help="Change one setting.")
@click.option(
    "--log",
    "tracker",
    type=click.Choice(["tensorboard", "mlflow"]),
    help="Tracker of losses, pictures, settings and the model: tensorboard/ in the run folder, or MLflow at "
    "MLFLOW_TRACKING_URI.",
)
@click.option("--resume", is_flag=True, help="Continue the interrupted run in the run folder.")
def train(
    data: "DataSource",
    run: Path,
    preset: str | None,
    budget_s: float | None,
    seed: int | None,
    settings_file: Path | None,
    values: tuple[str, ...],
    tracker: str | None,
    resume: bool,
) -> None:
    """Train on the good images of DATA; the run folder gets everything about the run.

    \b
      rcae train parts/ -o runs/parts                     the quick preset
      rcae train parts/ -o runs/parts --budget 30m        as many steps as fit in 30 minutes
      rcae train parts/ -o runs/parts --resume            after Ctrl-C or a power cut
      rcae train parts/ -o runs/n3 --set model.recursion_depth=3
    """
    from rcae.api import learning

    learning.train(
        data,
        run,
        preset=preset,
        budget=budget_s,
        seed=seed,
        config=settings_file,
        set=values,
        resume=resume,
        log=tracker,
    )
