"""`rcae watch`: every image that appears in a folder."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from rcae.cli.line import as_json_option, line_of
from rcae.cli.options import PATH, require_signature, size_limit
from rcae.cli.output_options import output_options
from rcae.cli.record_options import store_options

if TYPE_CHECKING:
    from rcae.line.outputs.output import Output


@click.command()
@click.argument("folder", type=PATH)
@click.argument("run", type=PATH)
@store_options
@output_options
@as_json_option
@size_limit
@require_signature
def watch(
    folder: Path,
    run: Path,
    store: str,
    keep_images_mib: float,
    outputs: "tuple[Output, ...]",
    as_json: bool,
    size_limit: float,
    public_key: Path | None,
) -> None:
    """Inspect every image that appears in FOLDER or below with RUN, until Ctrl-C.

    Each image is inspected once, also across restarts. An image is skipped if the record holds the same
    content under the same path. Symbolic links and hidden files are ignored.

    \b
      rcae watch /mnt/line-3 runs/parts
      rcae watch /mnt/line-3 runs/parts --mqtt mqtt://broker/line-3/inspections
    """
    from rcae.base.progress import say
    from rcae.base.text import printable
    from rcae.line.sources.folder import Folder
    from rcae.line.sources.watch import watch as inspect_new

    place = Folder(folder)
    with line_of(run, public_key, size_limit, store, keep_images_mib, outputs) as line:
        say(f"Watching {printable(folder)}; Ctrl-C stops.")
        line.run(inspect_new(place, line.inspector, line.record, line.stop), as_json)
