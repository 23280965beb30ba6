"""From the record to an output: every inspection, in order, at least once."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from rcae.base.errors import DeliveryError, RcaeError, RefusedError
from rcae.base.progress import say
from rcae.line.outputs.output import Output
from rcae.line.patience import Patience
from rcae.line.record.inspection import Inspection, Query
from rcae.line.record.record import Record

BATCH = 100
POLL_S = 0.2
"""Our choice: soon enough for a person, and a cheap question to the record."""


class Delivery:
    """Sends to one output what is recorded, in a thread of its own; whoever records does not wait for it.

    The record remembers how far this output has come, after each inspection: what was not sent when the
    receiver or this process was gone is sent later. An output the record does not know starts at its
    end: inspections of before are not sent (our choice: nobody wants last year's again). Of several
    processes with the same output on one record, one sends and the others take over when it ends.
    """

    def __init__(self, record: Record, output: Output) -> None:
        """Note in the record where a new output starts.

        Raises:
            StorageError: the record cannot be read or written.
        """
        self.title = output.title
        self._record, self._output = record, output
        self._turn = record.turn(output.reader)
        self._stop = threading.Event()
        self._patience = Patience(f"Sending to {output.title}", self._stop.wait)
        self._stands_by = False
        self._thread = threading.Thread(target=self._run, name=output.title, daemon=True)
        last_number = self._last_number()  # asked first: what is recorded in between is sent
        if record.cursor(output.reader) is None:
            record.move_cursor(output.reader, last_number)

    @property
    def lag(self) -> int:
        """How many numbers the output is behind the record.

        Raises:
            StorageError: the record cannot be read.
        """
        return self._last_number() - (self._record.cursor(self._output.reader) or 0)

    @property
    def is_failing(self) -> bool:
        """Whether the last attempt failed."""
        return self._patience.is_tried

    def start(self) -> None:
        """Begin to send."""
        self._thread.start()

    def ask_to_stop(self) -> None:
        """Finish the inspection that is being sent, and send no other."""
        self._stop.set()

    def join(self) -> None:
        """Wait until it has stopped."""
        self._thread.join()

    def _run(self) -> None:
        try:
            while not self._stop.is_set():
                self._try()
            self._output.close()
        finally:
            self._turn.give_back()

    def _try(self) -> None:
        try:
            is_idle = not (self._has_turn() and self._send_some())
        except DeliveryError as error:
            self._patience.failed(error, error.retry_after_s)
        except RcaeError as error:
            self._patience.failed(error)
        except Exception as error:  # noqa: BLE001  shown and tried again: a thread that ends is missed by nobody
            self._patience.failed(DeliveryError(f"unexpected {type(error).__name__} ({error})."))
        else:
            self._patience.worked()
            if is_idle:
                self._stop.wait(POLL_S)

    def _has_turn(self) -> bool:
        has_turn = self._turn.taken()
        if has_turn == self._stands_by:
            self._stands_by = not has_turn
            say(
                f"This process sends to {self.title} from now on."
                if has_turn
                else f"Another process sends to {self.title} already; this one takes over when it ends."
            )
        return has_turn

    def _send_some(self) -> bool:
        """Whether there was anything to send."""
        come_to = self._record.cursor(self._output.reader)
        waiting = self._record.find(Query(number_above=come_to), limit=BATCH, newest_first=False)
        for inspection in waiting:
            if self._stop.is_set():
                break
            self._send(inspection)
            self._patience.worked()
            self._record.move_cursor(self._output.reader, inspection.number)
        return bool(waiting)

    def _send(self, inspection: Inspection) -> None:
        try:
            self._output.send(inspection)
        except RefusedError as error:
            say(f"Inspection {inspection.number} ({inspection.id}) is not sent: {error}")

    def _last_number(self) -> int:
        newest = self._record.find(Query(), limit=1)
        return newest[0].number if newest else 0


@contextmanager
def delivering(outputs: Sequence[Output], record: Record) -> Iterator[list[Delivery]]:
    """Send to these outputs inside the block; at its end, finish what is being sent.

    Raises:
        StorageError: the record cannot be read or written, at the start.
    """
    deliveries = [Delivery(record, output) for output in outputs]
    for delivery in deliveries:
        delivery.start()
    try:
        yield deliveries
    finally:
        for delivery in deliveries:
            delivery.ask_to_stop()
        for delivery in deliveries:
            delivery.join()
