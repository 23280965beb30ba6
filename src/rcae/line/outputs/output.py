"""What an output is, how it is named in the record, and what it sends."""

import hashlib
from typing import Protocol

from pydantic import TypeAdapter

from rcae.line.record.inspection import Inspection

_INSPECTION = TypeAdapter(Inspection)


class Output(Protocol):
    """Takes inspections one after the other, from one thread."""

    title: str
    """For people: what it is and where it sends to; no secret."""
    reader: str
    """Its name in the record, the same after every restart."""

    def send(self, inspection: Inspection) -> None:
        """Return once the receiver has it.

        Raises:
            RefusedError: the receiver will never take this inspection.
            DeliveryError: it has not got it, or did not say so; worth another try.
        """

    def close(self) -> None:
        """Give the connection back, if there is one; nothing is sent any more."""


def message(inspection: Inspection) -> bytes:
    """The inspection in JSON (UTF-8), field by field, as the service answers it."""
    return _INSPECTION.dump_json(inspection)


def reader_of(kind: str, address: str) -> str:
    """How the record knows an output: by its kind and a hash of its address, given without password."""
    return f"{kind}-{hashlib.sha256(address.encode()).hexdigest()[:16]}"
