"""`rcae predict`: files, folders or globs in, a table of decisions out."""

from pathlib import Path

import click

from rcae.base.errors import ImageError
from rcae.cli.options import PATH, Loading, loading_options


@click.command()
@click.argument("run", type=PATH)
@click.argument("paths", nargs=-1, required=True, metavar="PATH...")
@click.option("-o", "--output", type=PATH, required=True, help="Folder for the results.")
@click.option("--overlays", is_flag=True, help="Also write each image under its heatmap.")
@click.option("--maps", is_flag=True, help="Also write each anomaly map as float32 .npy.")
@loading_options
def predict(
    run: Path,
    paths: tuple[str, ...],
    output: Path,
    overlays: bool,
    maps: bool,
    loading: Loading,
) -> None:
    """Inspect images: files, folders or globs in, predictions.csv and predictions.jsonl out.

    An unreadable image gets a row with its error and does not stop the others. The exit code is then 3.
    """
    from rcae.base.progress import say
    from rcae.data.folders import expand_paths, folders_among, left_out_notes
    from rcae.data.result_folders import require_apart
    from rcae.detector.predictions import predict_files

    files = expand_paths(paths)
    require_apart(output, folders_among(paths))
    for note in left_out_notes(paths):
        say(f"note: {note}")
    detector = loading.detector(run)
    counts = predict_files(detector, files, output, overlays=overlays, maps=maps)
    click.echo(f"{counts.good} good, {counts.defective} defective: {output / 'predictions.csv'}")
    if counts.unreadable:
        raise ImageError(
            f"{counts.unreadable} of {len(files)} images could not be inspected; the column 'error' "
            f"of {output / 'predictions.csv'} says why."
        )
