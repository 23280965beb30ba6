"""Requests are taken as they are meant: what is not known is refused, and HEAD is answered like GET."""

from fastapi import HTTPException, Request
from starlette.types import ASGIApp, Receive, Scope, Send

from rcae.base.text import printable

_KEY = "idempotency-key"


def refuse_unknown(request: Request) -> None:
    """Refuse what the route would ignore: other query parameters, and an `Idempotency-Key`.

    Raises:
        HTTPException: 422, there is one; a misspelt filter would find everything.
    """
    takes = request.scope["route"].dependant
    if _KEY in request.headers and not any(one.alias == _KEY for one in takes.header_params):
        raise HTTPException(422, "An Idempotency-Key holds for a single image; leave it out here.")
    known = {parameter.alias for parameter in takes.query_params}
    for name in request.query_params:
        if name not in known:
            raise HTTPException(
                422,
                f"The query parameter '{printable(name)[:100]}' is not known here; known are: "
                f"{', '.join(sorted(known)) or 'none'}.",
            )


class AnswerHead:
    """Middleware that answers HEAD by the route of GET; the server leaves the body out."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one ASGI connection."""
        if scope["type"] == "http" and scope["method"] == "HEAD":
            scope = {**scope, "method": "GET"}
        await self._app(scope, receive, send)
