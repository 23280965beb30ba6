"""`rcae train-many`: a model for each category and seed, on one machine or on many."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from rcae.base.errors import CellFailedError
from rcae.cli.options import FOLDER, PATH, Seeds
from rcae.cli.worker_options import on_ray, worker_needs

if TYPE_CHECKING:
    from rcae.many.cluster import Needs


@click.command()
@click.argument("data", type=PATH, nargs=-1, required=True, metavar="DATA...")
@click.option("-o", "--output", type=FOLDER, required=True, help="Folder for the models.")
@click.option("--seeds", type=Seeds(), default="0", show_default=True)
@click.option("--preset", help="Preset, as 'rcae train' takes it.")
@click.option("--config", "settings_file", type=PATH, help="TOML file with settings to change.")
@click.option("--set", "values", multiple=True, metavar="KEY=VALUE", help="Change one setting.")
@on_ray
@worker_needs(cpus=2, memory_gib=4)
def train_many(
    data: tuple[Path, ...],
    output: Path,
    seeds: tuple[int, ...],
    preset: str | None,
    settings_file: Path | None,
    values: tuple[str, ...],
    address: str | None,
    needs: "Needs",
) -> None:
    """Train and evaluate a model for each category and seed; write models.csv and models.html.

    OUTPUT/<category>/seed-<n> is a run folder. The settings fix the number of steps: a time budget would
    depend on neighbours. A failed model stops no other. The same command continues after an interruption,
    keeps finished models, and tries failed ones again.

    \b
      rcae train-many parts/ screws/ -o runs/ --seeds 0,1 --ray local
    """
    from rcae.base.extras import require

    require("torch", "safetensors", purpose="training")
    from rcae.many.models import train_many as run

    outcomes = run(
        data,
        seeds,
        output,
        preset=preset,
        settings_file=settings_file,
        values=values,
        needs=needs,
        address=address,
    )
    failed = [one for one in outcomes if one.state != "trained"]
    click.echo(f"{len(outcomes) - len(failed)} of {len(outcomes)} models: {output / 'models.html'}")
    if failed:
        names = ", ".join(f"{one.category} with seed {one.seed}" for one in failed)
        raise CellFailedError(
            f"{len(failed)} models failed ({names}); {output / 'models.csv'} says why. Mend the cause and "
            "run the same command again.",
            1,
        )
