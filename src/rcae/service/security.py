"""Access control by API key, Host and Origin headers, and security headers of every response."""

import hmac
import ipaddress
import socket
from pathlib import Path
from urllib.parse import urlsplit

from fastapi.responses import JSONResponse
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from rcae.base.errors import UsageError
from rcae.base.storage import require_private
from rcae.service.answers import problem

SHORTEST_KEY = 16
HEADERS = {
    "Content-Security-Policy": "default-src 'self'; img-src 'self' blob: data:; object-src 'none'; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
}
"""Headers of every response that does not set them itself."""
_READING = {"GET", "HEAD", "OPTIONS"}


def read_api_key(file: Path) -> str:
    """Read the API key in a file: one line of at least 16 visible ASCII characters.

    Raises:
        UsageError: the file cannot be read, holds no such key, or can be read by every user.
    """
    try:
        require_private(file)
        key = file.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{file} cannot be read as an API key ({error}).") from error
    if len(key) < SHORTEST_KEY or not key.isprintable() or " " in key:
        raise UsageError(
            f"{file} holds no API key: one line of at least {SHORTEST_KEY} ASCII characters without "
            f"spaces. Make one with: openssl rand -hex 32 > {file} && chmod 600 {file}"
        )
    return key


def require_key_beyond_loopback(host: str, has_key: bool) -> None:
    """Refuse to listen on a public address without an API key.

    Raises:
        UsageError: there is no key and the host is not loopback, or the host has no address.
    """
    try:
        addresses = {str(found[4][0]) for found in socket.getaddrinfo(host or "0.0.0.0", None)}  # noqa: S104
    except (OSError, UnicodeError) as error:
        raise UsageError(f"--host {host}: this has no address ({error}).") from error
    if not has_key and not all(
        ipaddress.ip_address(a.split("%")[0]).is_loopback for a in addresses
    ):
        raise UsageError(
            f"--host {host} lets other machines in, so they need a key: give --api-key-file FILE, with "
            "a key made by 'openssl rand -hex 32', or stay on --host 127.0.0.1."
        )


class Gate:
    """Middleware that checks access and adds the security headers to every response."""

    def __init__(self, app: ASGIApp, api_key: str | None) -> None:
        self._app = app
        self._api_key = api_key

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one ASGI connection."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_marked(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        refusal = self._refusal(scope["method"], scope["path"], Headers(scope=scope))
        await (refusal or self._app)(scope, receive, send_marked)

    def _refusal(self, method: str, path: str, headers: Headers) -> JSONResponse | None:
        host = headers.get("host", "")
        if self._api_key is None and not _is_loopback(host):
            return _refused(
                421,
                "Without an API key, only requests to localhost are answered; see --api-key-file.",
            )
        if method not in _READING and not _is_own(headers.get("origin"), host):
            return _refused(403, "A page of another site may not write here.")
        if self._api_key is None or not path.startswith("/api/"):
            return None
        given = headers.get("x-api-key", "")
        if not hmac.compare_digest(given.encode(), self._api_key.encode()):
            return _refused(401, "The header X-API-Key is missing or wrong.")
        return None


def _refused(status: int, detail: str) -> JSONResponse:
    # The body is not read.
    return problem(status, detail, {"Connection": "close"})


def _is_loopback(host: str) -> bool:
    """Return True if a Host header names this machine's loopback, so no other site's name."""
    name = _name_of(host)
    try:
        return name == "localhost" or ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def _name_of(host: str) -> str:
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""


def _is_own(origin: str | None, host: str) -> bool:
    """Return True if a writing request comes from our own page, or from no page at all."""
    if origin is None:
        return True
    try:
        return urlsplit(origin).netloc.lower() == host.lower() != ""
    except ValueError:
        return False
