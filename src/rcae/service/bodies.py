"""Limits on request bodies: too large or too slow bodies are cut off, whoever reads them."""

import asyncio

from fastapi import HTTPException, Request
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from rcae.service.limits import MIB, Limits

_BODY = "rcae.body"
"""Key of the body in the scope of a request."""
CLOSE = {"Connection": "close"}
"""Header of a response that is sent before the body has been read to its end."""


class LimitBodies:
    """Middleware that limits bodies; a reader gets an HTTPException 408 or 413.

    A body may have `Limits.body_bytes`, unless its route calls `allow`, and take `Limits.upload_s`.
    """

    def __init__(self, app: ASGIApp, limits: Limits) -> None:
        self._app = app
        self._limits = limits

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one ASGI connection."""
        if scope["type"] == "http":
            body = scope[_BODY] = _Body(scope, receive, self._limits)
            receive = body.receive
        await self._app(scope, receive, send)


def allow(request: Request, most_bytes: int) -> None:
    """Let this request's body have so many bytes; call this before any of it is read."""
    request.scope[_BODY].most_bytes = most_bytes


def too_large(most_bytes: int) -> HTTPException:
    """Return the error for a request above its limit; the rest of the request is not read."""
    return HTTPException(413, f"More than {most_bytes / MIB:g} MiB; send less at once.", CLOSE)


class _Body:
    """State of one request's body."""

    def __init__(self, scope: Scope, receive: Receive, limits: Limits) -> None:
        self.most_bytes = limits.body_bytes
        announced = Headers(scope=scope).get("content-length", "0")
        self._announced_bytes = int(announced) if announced.isdecimal() else 0
        self._received_bytes = 0
        self._is_complete = False
        self._receive = receive
        self._upload_s = limits.upload_s
        self._until_s = asyncio.get_running_loop().time() + limits.upload_s

    async def receive(self) -> Message:
        """Return the next piece of the body, or later messages of the server once the body is complete."""
        if self._is_complete:
            return await self._receive()
        if self._announced_bytes > self.most_bytes:
            raise too_large(self.most_bytes)
        try:
            async with asyncio.timeout_at(self._until_s):
                message = await self._receive()
        except TimeoutError as error:
            raise HTTPException(
                408,
                f"The request did not arrive within {self._upload_s:g} s; send less at once, or faster.",
                CLOSE,
            ) from error
        self._received_bytes += len(message.get("body", b""))
        if self._received_bytes > self.most_bytes:
            raise too_large(self.most_bytes)
        self._is_complete = not message.get("more_body", False)
        return message
