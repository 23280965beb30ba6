"""Delivery from the record to an output: every inspection, in order, at least once."""

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from rcae.base.errors import DeliveryError, RcaeError, RefusedError
from rcae.base.progress import say
from rcae.base.text import printable
from rcae.line.outputs.output import Output
from rcae.line.patience import Patience
from rcae.line.record.inspection import Inspection, Query
from rcae.line.record.record import Record

BATCH = 100
POLL_S = 0.2
"""Poll interval (our choice): soon enough for a person, and a cheap query to the record."""
DEAD_LETTER_AFTER_S = 3600.0
"""Time that one inspection may block all later ones although the receiver answers (our choice)."""


class Delivery:
    """Thread that sends recorded inspections to one output; recording does not wait for it.

    The record keeps a cursor for each output and moves it after each inspection.
    An inspection that was not sent during an outage of the receiver or this process is sent later.
    An inspection that the receiver refuses, for good or for `dead_letter_after_s`, becomes a dead letter in
    the record, and the next one is sent. An outage is waited for, however long it lasts.
    A new output starts at the end of the record: nobody wants old inspections again (our choice).
    Only one of several processes with the same output on one record sends. Another process takes over
    when it ends.
    """

    def __init__(
        self, record: Record, output: Output, dead_letter_after_s: float = DEAD_LETTER_AFTER_S
    ) -> None:
        """Store the cursor of a new output in the record.

        Raises:
            StorageError: the record cannot be read or written.
        """
        self.title = output.title
        self._record, self._output = record, output
        self._dead_letter_after_s = dead_letter_after_s
        self._blocking, self._blocks_since_s = 0, 0.0
        """Number of the inspection that the receiver answers with an error, and since when it does."""
        self._turn = record.turn(output.reader)
        self._stop = threading.Event()
        self._patience = Patience(f"Sending to {output.title}", self._stop.wait)
        self._stands_by = False
        self._thread = threading.Thread(target=self._run, name=output.title, daemon=True)
        last_number = self._last_number()  # read first: later inspections must be sent
        if record.cursor(output.reader) is None:
            record.move_cursor(output.reader, last_number)

    @property
    def lag(self) -> int:
        """Number of inspections that the output is behind the record.

        Raises:
            StorageError: the record cannot be read.
        """
        return self._last_number() - (self._record.cursor(self._output.reader) or 0)

    @property
    def dead_letters(self) -> int:
        """Number of inspections that could not be delivered.

        Raises:
            StorageError: the record cannot be read.
        """
        return self._record.dead_letters.counts().get(self.title, 0)

    @property
    def is_failing(self) -> bool:
        """True if the last attempt failed."""
        return self._patience.is_tried

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def ask_to_stop(self) -> None:
        """Stop after the inspection that is being sent."""
        self._stop.set()

    def join(self) -> None:
        """Wait until the thread has stopped."""
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
        except Exception as error:  # noqa: BLE001  shown and retried: nobody would notice the end of a thread
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
        """Send a batch and return True if there was one."""
        self._send_dead_letters()
        come_to = self._record.cursor(self._output.reader)
        waiting = self._record.find(Query(number_above=come_to), limit=BATCH, newest_first=False)
        for inspection in waiting:
            if self._stop.is_set():
                break
            self._deliver(inspection)
            self._patience.worked()
            self._record.move_cursor(self._output.reader, inspection.number)
        return bool(waiting)

    def _send_dead_letters(self) -> None:
        """Send those that somebody asked for again; what is refused again stays one."""
        for number in self._record.dead_letters.due(self._output.reader, BATCH):
            query = Query(number_above=number - 1, number_below=number + 1)
            for inspection in self._record.find(query, limit=1):
                if self._stop.is_set():
                    return
                if self._deliver(inspection):
                    self._record.dead_letters.remove(self._output.reader, number)
                self._patience.worked()

    def _deliver(self, inspection: Inspection) -> bool:
        """Send an inspection and return True, or make it a dead letter.

        Raises:
            DeliveryError: it is to be tried again.
        """
        try:
            self._output.send(inspection)
        except DeliveryError as error:
            if not self._is_given_up(inspection, error):
                raise
            say(
                f"Inspection {inspection.number} ({inspection.id}) is not sent: {error} Remove the cause, "
                "then run 'rcae resend'."
            )
            self._record.dead_letters.add(
                self._output.reader, self.title, inspection.number, printable(error)
            )
            return False
        return True

    def _is_given_up(self, inspection: Inspection, error: DeliveryError) -> bool:
        if isinstance(error, RefusedError):
            return True
        now_s = time.monotonic()
        if not error.is_answer:  # an outage, which the next inspection would meet as well
            self._blocking = 0
        elif self._blocking != inspection.number:
            self._blocking, self._blocks_since_s = inspection.number, now_s
        else:
            return now_s - self._blocks_since_s >= self._dead_letter_after_s
        return False

    def _last_number(self) -> int:
        newest = self._record.find(Query(), limit=1)
        return newest[0].number if newest else 0


@contextmanager
def delivering(
    outputs: Sequence[Output], record: Record, dead_letter_after_s: float = DEAD_LETTER_AFTER_S
) -> Iterator[list[Delivery]]:
    """Send to these outputs inside the block; finish the current inspection at its end.

    Raises:
        StorageError: the record cannot be read or written, at the start.
    """
    deliveries = [Delivery(record, output, dead_letter_after_s) for output in outputs]
    for delivery in deliveries:
        delivery.start()
    try:
        yield deliveries
    finally:
        for delivery in deliveries:
            delivery.ask_to_stop()
        for delivery in deliveries:
            delivery.join()
