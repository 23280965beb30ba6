"""Drift of one model's scores, updated from the record on each request without blocking it."""

import hashlib
import threading
from contextlib import suppress

from rcae.base.errors import RcaeError
from rcae.detector.calibration import Calibration
from rcae.line.record.inspection import Query
from rcae.line.record.record import Record
from rcae.service.observed import Drift, Observed

PATIENCE_S = 1.0
"""Longest wait of a request for inspections that are still being read (our choice)."""
PUBLISHED_EVERY = 5000
"""Number of inspections after which the drift so far is shown while more are being read."""
SAVED_EVERY = 1000
"""Least number of inspections, and a tenth of all before, after which the state is saved (our choice)."""
_FORMAT = "1"
"""Format of a saved state; another one is not read."""


class DriftWatch:
    """Monitor of a model's inspections by any process since its last change; thread-safe.

    A change is another model or calibration, or drift that a person acknowledged.
    One thread at a time reads new inspections. Requests never wait long for it, however many there are.
    The state is saved in the record from time to time, so that a restart reads few inspections again.
    """

    def __init__(self, record: Record, model: str, model_sha256: str, calibration: Calibration):
        self._record, self._model, self._model_sha256 = record, model, model_sha256
        self._calibration = calibration
        said = f"{_FORMAT}\n{model}\n{model_sha256}\n{calibration.model_dump_json()}"
        self._key = hashlib.sha256(said.encode()).hexdigest()
        self._starting = threading.Lock()
        self._reader: threading.Thread | None = None
        self._error: RcaeError | None = None
        self._observed: Observed | None = None
        self._saved_images = 0
        self._latest = Observed(calibration, after=0).drift(is_complete=False)

    @property
    def is_complete(self) -> bool:
        """False while recorded inspections are still being read."""
        return self._latest.is_complete

    def now(self, longest_s: float = PATIENCE_S) -> Drift:
        """Return the drift of all recorded inspections, or after `longest_s` of those read so far.

        Raises:
            StorageError: the record cannot be read; earlier inspections are kept.
        """
        with self._starting:
            if self._reader is None or not self._reader.is_alive():
                self._reader = threading.Thread(target=self._catch_up, daemon=True)
                self._reader.start()
            reader = self._reader
        reader.join(longest_s)
        if self._error is not None:
            raise self._error
        return self._latest

    def _catch_up(self) -> None:
        """Read new inspections; publish the drift after every few and at the end."""
        try:
            observed = self._begun()
            query = Query(
                model=self._model, model_sha256=self._model_sha256, number_above=observed.last
            )
            for inspection in self._record.each(query):
                observed.add(inspection)
                if observed.images % PUBLISHED_EVERY == 0:
                    self._latest = observed.drift(is_complete=False)
                    self._save(observed)
            self._latest, self._error = observed.drift(is_complete=True), None
            self._save(observed)
        except RcaeError as error:
            self._error = error

    def _begun(self) -> Observed:
        """Return the state to go on from: the present one, a saved one, or a new one after a change."""
        after = self._record.changes.drift_starts_after(self._model)
        if self._observed is None or self._observed.after != after:
            saved = self._record.drift_states.load(self._key, after)
            self._observed = (
                Observed(self._calibration, after)
                if saved is None
                else Observed.restored(self._calibration, after, saved)
            )
            self._saved_images = self._observed.images
        return self._observed

    def _save(self, observed: Observed) -> None:
        if observed.images - self._saved_images >= SAVED_EVERY + self._saved_images // 10:
            self._saved_images = observed.images
            with suppress(RcaeError):  # it only saves time; the next one may be saved
                self._record.drift_states.save(self._key, observed.after, observed.saved())
