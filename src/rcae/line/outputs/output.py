"""Interface of an output, its name in the record, and its message format."""

import hashlib
from typing import Protocol

from pydantic import TypeAdapter

from rcae.line.record.inspection import Inspection

_INSPECTION = TypeAdapter(Inspection)


class Output(Protocol):
    """Receiver of inspections, one after the other, from one thread."""

    title: str
    """Kind and address of the output, for people; without secrets."""
    reader: str
    """Name of the output in the record, the same after every restart."""

    def send(self, inspection: Inspection) -> None:
        """Send an inspection and return once the receiver has it.

        Raises:
            RefusedError: the receiver will never accept this inspection; it becomes a dead letter.
            DeliveryError: the receiver did not confirm the inspection; a retry may succeed.
        """

    def close(self) -> None:
        """Close the connection, if there is one; nothing is sent afterwards."""


def message(inspection: Inspection) -> bytes:
    """Encode the inspection in JSON (UTF-8), field by field, as the service answers it."""
    return _INSPECTION.dump_json(inspection)


def reader_of(kind: str, address: str) -> str:
    """Return the name of an output in the record, from its kind and a hash of its address.

    The address must not contain a password.
    """
    return f"{kind}-{hashlib.sha256(address.encode()).hexdigest()[:16]}"
