"""Shared steps of `rcae watch` and `rcae camera`: inspect, record, send and print."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from rcae.cli.options import Loading
from rcae.cli.output_options import Outputs
from rcae.line.record.opening import kept_images, open_record

if TYPE_CHECKING:
    from rcae.base.errors import ImageError
    from rcae.base.interruption import StopRequest
    from rcae.line.inspector import Inspector
    from rcae.line.outputs.delivery import Delivery
    from rcae.line.record.inspection import Inspection
    from rcae.line.record.record import Record

as_json_option = click.option(
    "--json", "as_json", is_flag=True, help="Print one JSON object per line, as outputs send it."
)


@dataclass(frozen=True)
class Line:
    """Objects that every source needs to inspect, record and send."""

    inspector: "Inspector"
    record: "Record"
    deliveries: "Sequence[Delivery]"
    stop: "StopRequest"

    def run(self, answers: "Iterable[Inspection | ImageError]", as_json: bool) -> None:
        """Print each answer at once and a summary at the end, then wait for outputs that are nearly done."""
        from rcae.base.errors import StoppedError
        from rcae.base.progress import say

        counts: Counter[str] = Counter()
        try:
            for answer in answers:
                counts[_printed(answer, as_json)] += 1
        except StoppedError:
            say("Images that were being inspected are not recorded.")
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
def line_of(
    run: Path,
    loading: Loading,
    store: str,
    keep_images_mib: float,
    outputs: Outputs,
) -> Iterator[Line]:
    """Load the model and open the record; close both at the end of the block."""
    from rcae.base.interruption import stop_on_signal, stoppable
    from rcae.line.inspector import Inspector
    from rcae.line.model_file import ModelFile

    record = open_record(store, purpose="Inspecting at a line")
    try:
        pictures = kept_images(store, keep_images_mib)
        detector = loading.detector(run)
        inspector = Inspector(ModelFile(run).name, detector, record, pictures)
        with (
            outputs.delivering(record) as deliveries,
            stop_on_signal() as stop,
            stoppable(lambda: stop.is_overdue),
        ):
            yield Line(inspector, record, deliveries, stop)
    finally:
        record.close()


def _printed(answer: "Inspection | ImageError", as_json: bool) -> str:
    """Print an answer and return its group in the summary."""
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
