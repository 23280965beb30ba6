"""`rcae benchmark`: many models on many categories under one protocol."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from rcae.cli.options import PATH, Duration, Names, Seeds
from rcae.cli.worker_options import on_ray, worker_needs

if TYPE_CHECKING:
    from rcae.many.cluster import Needs
    from rcae.study.request import View


@click.command()
@click.argument("data", type=PATH, nargs=-1, required=True, metavar="DATA...")
@click.option(
    "--models",
    type=Names(),
    default="quick,autoencoder",
    show_default=True,
    help="Our models: quick, standard, scratch, paper, autoencoder, memory. Models of anomalib "
    "(extra peers): patchcore, padim, draem, ganomaly.",
)
@click.option("--seeds", type=Seeds(), default="0,1,2", show_default=True)
@click.option(
    "--budget", "budget_s", type=Duration(), help="Training time of each model, like 10m."
)
@click.option(
    "--view",
    type=click.Choice(["theirs", "ours"]),
    default="theirs",
    show_default=True,
    help="View of anomalib's models: images squashed to 256 x 256, or at our scale, exposure and frame.",
)
@click.option("-o", "--output", type=PATH, required=True, help="Folder for the results.")
@on_ray
@worker_needs(cpus=2, memory_gib=4)
def benchmark(
    data: tuple[Path, ...],
    models: tuple[str, ...],
    seeds: tuple[int, ...],
    budget_s: float | None,
    view: "View",
    output: Path,
    address: str | None,
    needs: "Needs",
) -> None:
    """Train every model on every category with every seed; write results.csv, .md and .html.

    All models use the same loader, masks, metrics and timing. The same command continues after an
    interruption and keeps finished models.

    \b
      rcae benchmark screw/ tile/ --models quick,patchcore --seeds 0,1 --budget 10m -o bench/
    """
    from rcae.study.cells import cell_requests, run_cells
    from rcae.study.contenders import benchmark_request
    from rcae.study.output import write_benchmark

    templates = [benchmark_request(name, budget_s, view) for name in models]
    requests = cell_requests(data, templates, seeds, output)
    for results in run_cells(requests, needs, address):
        page = write_benchmark(output, results, [path for path, _ in requests])
    click.echo((output / "results.md").read_text(encoding="utf-8"), nl=False)
    click.echo(f"page: {page}", err=True)
