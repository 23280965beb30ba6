"""The commands `rcae watch` and `rcae camera`, added to the others by `rcae.cli`."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from rcae.cli_card import require_signature
from rcae.cli_line import kept_images, open_record, store_options
from rcae.cli_outputs import output_options
from rcae.cli_types import PATH, Duration

if TYPE_CHECKING:
    from rcae.base.errors import ImageError
    from rcae.base.interruption import StopRequest
    from rcae.line.inspector import Inspector
    from rcae.line.outputs.delivery import Delivery
    from rcae.line.outputs.output import Output
    from rcae.line.record.inspection import Inspection
    from rcae.line.record.record import Record

as_json_option = click.option(
    "--json", "as_json", is_flag=True, help="Print one JSON object a line, as outputs send it."
)


@click.command()
@click.argument("folder", type=PATH)
@click.argument("run", type=PATH)
@store_options
@output_options
@as_json_option
@require_signature
def watch(
    folder: Path,
    run: Path,
    store: str,
    keep_images_mib: float,
    outputs: "tuple[Output, ...]",
    as_json: bool,
    public_key: Path | None,
) -> None:
    """Inspect every image that appears in FOLDER or below, with RUN; Ctrl-C stops.

    Each is inspected once, also across restarts: what the record holds under the same path with the
    same content is left out, and so are symbolic links and hidden files.

    \b
      rcae watch /mnt/line-3 runs/parts
      rcae watch /mnt/line-3 runs/parts --mqtt mqtt://broker/line-3/inspections
    """
    from rcae.base.progress import say
    from rcae.base.text import printable
    from rcae.line.sources.folder import Folder
    from rcae.line.sources.watch import watch as inspect_new

    place = Folder(folder)
    with _line(run, public_key, store, keep_images_mib, outputs) as line:
        say(f"Watching {printable(folder)}; Ctrl-C stops.")
        line.run(inspect_new(place, line.inspector, line.record, line.stop), as_json)


@click.command()
@click.argument("source")
@click.argument("run", type=PATH)
@click.option(
    "--every",
    "every_s",
    type=Duration(),
    default="0s",
    help="At most one frame in so much time, like 1s or 0.2s; as many as can be unless given.",
)
@store_options
@output_options
@as_json_option
@require_signature
def camera(
    source: str,
    run: Path,
    every_s: float,
    store: str,
    keep_images_mib: float,
    outputs: "tuple[Output, ...]",
    as_json: bool,
    public_key: Path | None,
) -> None:
    """Inspect the frames of SOURCE with RUN: a video file, the URL of a stream, or a camera's number.

    Of a file each frame, or one in every so much of its time; of a stream or camera the newest, again
    and again, until Ctrl-C.

    \b
      rcae camera video.mp4 runs/parts --every 1s
      rcae camera rtsp://camera-3/stream runs/parts
      rcae camera 0 runs/parts
    """
    from rcae.line.sources.camera import inspect_video
    from rcae.line.sources.frames import VideoSource

    video = VideoSource(source)
    with _line(run, public_key, store, keep_images_mib, outputs) as line:
        line.run(inspect_video(video, every_s, line.inspector, line.stop), as_json)


@dataclass(frozen=True)
class _Line:
    """What every source needs to inspect, record and send."""

    inspector: "Inspector"
    record: "Record"
    deliveries: "Sequence[Delivery]"
    stop: "StopRequest"

    def run(self, answers: "Iterable[Inspection | ImageError]", as_json: bool) -> None:
        """Print what is found as it is found, and a summary; wait for outputs that are nearly done."""
        from rcae.base.progress import say

        counts = Counter(_printed(answer, as_json) for answer in answers)
        inspected = counts["good"] + counts["defective"]
        unusable = f"; {counts['unusable']} unusable" if counts["unusable"] else ""
        say(
            f"{inspected} inspected: {counts['good']} good, {counts['defective']} defective{unusable}"
        )
        for delivery in self.deliveries:
            while delivery.lag and not delivery.is_failing and not self.stop.requested:
                self.stop.wait(0.1)
            if delivery.lag:
                say(
                    f"{delivery.lag} not sent to {delivery.title} yet; the next start goes on there."
                )


@contextmanager
def _line(
    run: Path,
    public_key: Path | None,
    store: str,
    keep_images_mib: float,
    outputs: "Sequence[Output]",
) -> Iterator[_Line]:
    from rcae.base.interruption import stop_on_signal
    from rcae.detector.detector import Detector
    from rcae.line.inspector import Inspector
    from rcae.line.model_file import ModelFile
    from rcae.line.outputs.delivery import delivering

    record = open_record(store, purpose="Inspecting at a line")
    try:
        pictures = kept_images(store, keep_images_mib)
        detector = Detector.load(run, require_signature=public_key)
        inspector = Inspector(ModelFile(run).name, detector, record, pictures)
        with delivering(outputs, record) as deliveries, stop_on_signal() as stop:
            yield _Line(inspector, record, deliveries, stop)
    finally:
        record.close()


def _printed(answer: "Inspection | ImageError", as_json: bool) -> str:
    """Print it; what it counts as."""
    from rcae.base.errors import ImageError
    from rcae.base.progress import say
    from rcae.line.outputs.output import message

    if isinstance(answer, ImageError):
        say(f"unusable: {answer}")
        return "unusable"
    decision = "defective" if answer.is_defective else "good"
    line = f"{decision:9}  {answer.anomaly_score:>9.4g}  {answer.source}"
    click.echo(message(answer).decode() if as_json else line)
    return decision
