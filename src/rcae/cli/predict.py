"""`rcae predict`: files, folders or globs in, a table of decisions out."""

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from rcae.base.errors import ImageError
from rcae.cli.options import PATH, Loading, loading_options
from rcae.cli.worker_options import on_ray, worker_needs

if TYPE_CHECKING:
    from rcae.many.cluster import Needs


class Shard(click.ParamType[tuple[int, int]]):
    """A shard like 3/16: its number, counted from 1, and how many there are."""

    name = "shard"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[int, int]:
        """Return both numbers; click names the option in an error."""
        match = re.fullmatch(r"(\d{1,9})/(\d{1,9})", str(value))
        if not match or not 1 <= int(match[1]) <= int(match[2]):
            self.fail(
                f"'{value}' is not a shard; write 1/16 for the first to 16/16 for the last.",
                param,
                ctx,
            )
        return int(match[1]), int(match[2])


@click.command()
@click.argument("run", type=PATH)
@click.argument("paths", nargs=-1, required=True, metavar="PATH...")
@click.option("-o", "--output", type=PATH, required=True, help="Folder for the results.")
@click.option("--overlays", is_flag=True, help="Also write each image under its heatmap.")
@click.option("--maps", is_flag=True, help="Also write each anomaly map as float32 .npy.")
@click.option("--shard", type=Shard(), help="Inspect a share of the images, like 3/16, as parts.")
@on_ray
@click.option(
    "--workers", type=click.IntRange(1), help="Workers on the cluster; by default as many as fit."
)
@worker_needs(cpus=1)
@loading_options
def predict(
    run: Path,
    paths: tuple[str, ...],
    output: Path,
    overlays: bool,
    maps: bool,
    shard: tuple[int, int] | None,
    address: str | None,
    workers: int | None,
    needs: "Needs",
    loading: Loading,
) -> None:
    """Inspect images: files, folders or globs in, predictions.csv and predictions.jsonl out.

    A .txt file lists images, and the column 'path' of a .csv or .parquet file does. URLs like
    s3://bucket/new/ need fsspec. An unreadable image gets a row with its error and does not stop the others.
    The exit code is then 3.

    --shard and --ray write Parquet files into OUTPUT/parts, each complete or absent. The same command
    continues after an interruption. 'rcae merge' makes one table of them.

    \b
      rcae predict runs/parts new/ -o results/ --overlays
      rcae predict runs/parts archive/ -o results/ --shard 3/16
    """
    if shard and address:
        raise click.UsageError("--shard and --ray exclude each other; give one of them.")
    if shard or address:
        from rcae.data.folders import folders_among
        from rcae.data.result_folders import require_apart
        from rcae.many.inspection import Request, inspect_on_ray, inspect_shard

        require_apart(output, folders_among(paths))
        key = loading.public_key and loading.public_key.absolute()  # workers run in other folders
        request = Request(
            run.absolute(),
            paths,
            output.absolute(),
            overlays,
            maps,
            key,
            loading.threads,
            loading.size_limit,
        )
        table = output / "parts"
        if shard:
            counts = inspect_shard(request, *shard)
        else:
            counts = inspect_on_ray(request, str(address), needs, workers)
    else:
        from rcae.api import inspecting

        table = output / "predictions.csv"
        counts = inspecting.predict(
            run, paths, output, overlays=overlays, maps=maps, **loading.options
        )
    click.echo(f"{counts.good} good, {counts.defective} defective: {table}")
    if counts.unreadable:
        raise ImageError(
            f"{counts.unreadable} of {sum(vars(counts).values())} images could not be inspected; the column "
            f"'error' of {table} says why."
        )
