"""Conversion of errors and invalid requests to responses: a status and one sentence."""

from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException as StarletteHTTPException
from starlette.requests import ClientDisconnect

from rcae.base.errors import (
    DataError,
    ImageError,
    ImageFormatError,
    RcaeError,
    StoppedError,
    StorageError,
    UsageError,
)
from rcae.base.text import printable
from rcae.line.record.kept_images import KeptImageError
from rcae.service.answers import problem
from rcae.service.batching import StoppingError
from rcae.service.limits import BusyError
from rcae.service.metrics import ServiceMetrics
from rcae.service.paths import ForbiddenPathError
from rcae.service.security import HEADERS

_STATUS: dict[type[RcaeError], int] = {
    ImageFormatError: 415,
    ImageError: 422,
    ForbiddenPathError: 403,
    UsageError: 422,
    BusyError: 503,
    StoppingError: 503,
    StoppedError: 503,
    StorageError: 503,
    DataError: 503,  # the record is damaged until somebody restores it
}
"""HTTP status for each error class; the first matching class counts."""
_RETRY_AFTER_S: dict[type[Exception], int] = {BusyError: 1, StoppingError: 10, StoppedError: 10}
_RECORD_RETRY_AFTER_S = 5


def answer_errors(app: FastAPI, metrics: ServiceMetrics) -> None:
    """Register a handler for every kind of error."""

    def known(_: Request, error: Exception) -> JSONResponse:
        of_images = (ImageError, KeptImageError)
        if isinstance(error, StorageError | DataError) and not isinstance(error, of_images):
            metrics.record_errors.inc()
        status = next(status for kind, status in _STATUS.items() if isinstance(error, kind))
        wait_s = _RETRY_AFTER_S.get(type(error), _RECORD_RETRY_AFTER_S)
        headers = {"Retry-After": str(wait_s)} if status == 503 else None
        return problem(status, printable(error), headers)

    def wrong(_: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, RequestValidationError)
        return problem(422, _sentence(error.errors()[0]))

    def gone(_: Request, error: Exception) -> JSONResponse:  # noqa: ARG001
        return problem(400, "The request ended before it was complete.")

    def unknown(_: Request, error: Exception) -> JSONResponse:  # noqa: ARG001
        detail = "This failed inside the service, which says why in its log."
        return problem(500, detail, HEADERS)

    def refused(_: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, StarletteHTTPException)
        return problem(error.status_code, error.detail, error.headers)

    for kind in _STATUS:
        app.add_exception_handler(kind, known)
    app.add_exception_handler(RequestValidationError, wrong)
    app.add_exception_handler(StarletteHTTPException, refused)
    app.add_exception_handler(ClientDisconnect, gone)
    app.add_exception_handler(Exception, unknown)


def _sentence(error: dict[str, Any]) -> str:
    """Return the validation error without the value received, which may be long or undecodable."""
    place = ".".join(str(part) for part in error["loc"])
    return printable(f"{place}: {error['msg']}.")
