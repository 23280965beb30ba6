"""`rcae camera`: the frames of a camera, a stream or a video file."""

from pathlib import Path

import click

from rcae.cli.line import as_json_option, line_of
from rcae.cli.options import PATH, Duration, Loading, loading_options
from rcae.cli.output_options import Outputs, output_options
from rcae.cli.record_options import store_options


@click.command()
@click.argument("source")
@click.argument("run", type=PATH)
@click.option(
    "--every",
    "every_s",
    type=Duration(),
    default="0s",
    help="Shortest time between two frames, like 1s or 0.2s; the default takes as many as possible.",
)
@store_options
@output_options
@as_json_option
@loading_options
def camera(
    source: str,
    run: Path,
    every_s: float,
    store: str,
    keep_images_mib: float,
    outputs: Outputs,
    as_json: bool,
    loading: Loading,
) -> None:
    """Inspect the frames of SOURCE with RUN: a video file, the URL of a stream, or a camera's number.

    A video file gives all its frames, or one per --every of its own time. A stream or camera gives its
    newest frame, again and again, until Ctrl-C.

    \b
      rcae camera video.mp4 runs/parts --every 1s
      rcae camera rtsp://camera-3/stream runs/parts
      rcae camera 0 runs/parts
    """
    from rcae.line.sources.camera import inspect_video
    from rcae.line.sources.frames import VideoSource

    video = VideoSource(source)
    with line_of(run, loading, store, keep_images_mib, outputs) as line:
        line.run(inspect_video(video, every_s, line.inspector, line.stop), as_json)
