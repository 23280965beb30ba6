"""`rcae serve`: inspection over HTTP, with a page for people."""

from pathlib import Path

import click

from rcae.cli.options import PATH, Loading, loading_options
from rcae.cli.output_options import Outputs, output_options
from rcae.cli.record_options import store_options
from rcae.line.record.opening import kept_images, open_record


@click.command()
@click.argument("runs", type=PATH, nargs=-1, required=True, metavar="RUN...")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", type=click.IntRange(0, 65535), default=8000, show_default=True)
@store_options
@click.option(
    "--allow",
    "folders",
    type=PATH,
    multiple=True,
    metavar="FOLDER",
    help="Folder whose images requests may name by path; can be repeated.",
)
@click.option(
    "--api-key-file",
    type=PATH,
    help="File with a key that requests need; required if other machines can connect.",
)
@output_options
@loading_options
def serve(
    runs: tuple[Path, ...],
    host: str,
    port: int,
    store: str,
    keep_images_mib: float,
    folders: tuple[Path, ...],
    api_key_file: Path | None,
    outputs: Outputs,
    loading: Loading,
) -> None:
    """Inspect images sent over HTTP, record every answer, and show a page of the results.

    RUN is a run folder or an exported file; one service can serve several models. Ctrl-C or SIGTERM
    stops it within seconds, once the accepted requests are answered.

    \b
      rcae serve runs/parts                                  then open http://127.0.0.1:8000/
      curl -F image=@part.png http://127.0.0.1:8000/api/models/parts/inspections
      rcae serve runs/front runs/back --host 0.0.0.0 --api-key-file line-3.key
    """
    from rcae.base.extras import require

    require("fastapi", "uvicorn", "prometheus_client", purpose="rcae serve")
    from rcae.service.app import create_app
    from rcae.service.limits import Limits
    from rcae.service.paths import allowed_folders
    from rcae.service.security import read_api_key, require_key_beyond_loopback
    from rcae.service.served_model import load_models
    from rcae.service.server import answer_requests, listen

    limits, allowed = Limits(), allowed_folders(folders)
    api_key = None if api_key_file is None else read_api_key(api_key_file)
    require_key_beyond_loopback(host, api_key is not None)
    with listen(host, port) as listening:
        record = open_record(store, purpose="rcae serve")
        pictures = kept_images(store, keep_images_mib)
        models = load_models(runs, record, pictures, limits, loading.detector)
        with outputs.delivering(record) as deliveries:
            app = create_app(
                models,
                record,
                pictures,
                allowed=allowed,
                api_key=api_key,
                limits=limits,
                deliveries=deliveries,
            )
            answer_requests(app, models.values(), listening, limits)
        record.close()
