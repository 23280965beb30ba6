"""`rcae reproduce`: a table of the paper, on the user's own categories."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from rcae.cli.options import PATH, Duration, Seeds
from rcae.cli.worker_options import on_ray, worker_needs

if TYPE_CHECKING:
    from rcae.many.cluster import Needs


@click.command()
@click.argument("ablation", metavar="ABLATION")
@click.argument("data", type=PATH, nargs=-1, required=True, metavar="DATA...")
@click.option("--preset", default="scratch", show_default=True)
@click.option("--config", "settings_file", type=PATH, help="TOML file with settings to change.")
@click.option("--seeds", type=Seeds(), default="0,1", show_default=True)
@click.option(
    "--budget", "budget_s", type=Duration(), help="Training time of each model, like 10m."
)
@click.option("-o", "--output", type=PATH, required=True, help="Folder for the results.")
@on_ray
@worker_needs(cpus=2, memory_gib=4)
def reproduce(
    ablation: str,
    data: tuple[Path, ...],
    preset: str,
    settings_file: Path | None,
    seeds: tuple[int, ...],
    budget_s: float | None,
    output: Path,
    address: str | None,
    needs: "Needs",
) -> None:
    """Repeat a table of the paper: components, depth, sharing, data-share, steps or detail.

    ABLATION.md, .png and .csv show the paper's numbers beside ours, and the results of every model. The
    same command continues after an interruption and keeps finished models. Tables in the same folder
    share their models.

    \b
      rcae reproduce depth parts/ screws/ --seeds 0,1 -o depth/
    """
    from rcae.study.reproduction import reproduce as run

    click.echo(
        run(ablation, data, preset, settings_file, seeds, budget_s, output, needs, address),
        nl=False,
    )
