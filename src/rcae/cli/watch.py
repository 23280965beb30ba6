"""`rcae watch`: every image that appears in a folder."""

from pathlib import Path

import click

from rcae.cli.line import as_json_option, line_of
from rcae.cli.options import PATH, Duration, Loading, loading_options
from rcae.cli.output_options import Outputs, output_options
from rcae.cli.record_options import store_options


@click.command()
@click.argument("folder", type=PATH)
@click.argument("run", type=PATH)
@click.option(
    "--settle",
    "settle_s",
    type=Duration(),
    default="1s",
    show_default=True,
    help="Time without a change after which a file is complete.",
)
@click.option(
    "--exclude",
    "excluded",
    multiple=True,
    metavar="PATTERN",
    help="Names or paths below FOLDER to leave out, like '*_preview.png'.",
)
@store_options
@output_options
@as_json_option
@loading_options
def watch(
    folder: Path,
    run: Path,
    settle_s: float,
    excluded: tuple[str, ...],
    store: str,
    keep_images_mib: float,
    outputs: Outputs,
    as_json: bool,
    loading: Loading,
) -> None:
    """Inspect every image that appears in FOLDER or below with RUN, until Ctrl-C.

    Each image is inspected once by path and content, also across restarts. Symbolic links and hidden files
    are ignored.

    \b
      rcae watch /mnt/line-3 runs/parts
      rcae watch /mnt/line-3 runs/parts --mqtt mqtt://broker/line-3/inspections
    """
    from rcae.base.progress import say
    from rcae.base.text import printable
    from rcae.line.sources.folder import Folder
    from rcae.line.sources.watch import sole_watcher
    from rcae.line.sources.watch import watch as inspect_new

    place = Folder(folder, settle_s=settle_s, excluded=excluded)
    with (
        line_of(run, loading, store, keep_images_mib, outputs) as line,
        sole_watcher(folder, line.inspector.name, line.record),
    ):
        say(f"Watching {printable(folder)}; Ctrl-C stops.")
        line.run(inspect_new(place, line.inspector, line.record, line.stop), as_json)
    if place.overwritten:
        say(
            f"At least {place.overwritten} states of live images were overwritten before inspection."
        )
