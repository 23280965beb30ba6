"""Readiness: what keeps the service from inspecting, and what will if nobody acts."""

from rcae.base.errors import RcaeError
from rcae.base.progress import say
from rcae.line.record.inspection import Query
from rcae.line.record.kept_images import RESERVE_BYTES
from rcae.service.service import Service


class Readiness:
    """Checks of the state at this moment.

    Anybody may ask, without the key. The answers therefore name no path, host or database; the log does,
    once for each change.
    """

    def __init__(self, service: Service) -> None:
        self._service = service
        self._said = ""

    def reasons(self) -> list[str]:
        """Return why nothing can be inspected now; empty if it can."""
        found = [
            f"The model '{name}' inspects no more; start the service again."
            for name, model in self._service.models.items()
            if not model.batcher.is_working
        ]
        problem = self._problem_of_record()
        if problem and problem != self._said:
            say(f"The service is not ready: {problem}")
        self._said = problem
        if problem:
            found.append("The record cannot be used now; the log of the service says why.")
        return found

    def warnings(self) -> list[str]:
        """Return what works less well than it should."""
        found = [
            f"The drift of '{name}' is not known yet; recorded inspections are being read."
            for name, model in self._service.models.items()
            if not model.drift.is_complete
        ]
        try:
            has_reserve = self._service.kept_images.has_reserve
        except OSError:
            return [*found, "The folder of the pictures cannot be reached."]
        if not has_reserve:
            found.append(
                f"Less than {RESERVE_BYTES // 2**20} MiB are free on the disk of the pictures, so that none "
                "are kept; free space before the record is full, too."
            )
        return found

    def _problem_of_record(self) -> str:
        try:
            self._service.record.count(Query(number_below=1))
        except RcaeError as error:
            return str(error)
        return ""
