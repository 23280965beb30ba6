"""The service as a process: listens, answers until it is told to stop, finishes what it accepted."""

import asyncio
import math
import signal
import socket

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol

from rcae.base.errors import UsageError
from rcae.base.progress import say
from rcae.service.limits import Limits

_MOST_CONNECTIONS = 512
_HEADER_S = 10
"""Our choice: a header comes in one piece; whoever sends it byte by byte wants to keep others out."""


def listen(host: str, port: int) -> socket.socket:
    """A socket for `answer_requests`; port 0 takes any that is free.

    Raises:
        UsageError: the port is in use or not permitted.
    """
    family, kind, protocol, _, address = socket.getaddrinfo(
        host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )[0]
    listening = socket.socket(family, kind, protocol)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind(address)
    except OSError as error:
        listening.close()
        raise UsageError(
            f"Port {port} of {host} cannot be used ({error.strerror}); stop what listens there, or "
            "choose another --port."
        ) from error
    return listening


def address_of(listening: socket.socket) -> str:
    """What to open in a browser."""
    host, port = listening.getsockname()[:2]
    return f"http://[{host}]:{port}/" if ":" in host else f"http://{host}:{port}/"


class Connection(H11Protocol):
    """A connection that is closed where no request begins within 10 s; uvicorn would wait for ever.

    Counted from its start, or from the answer before, up to the end of the next request's header; what
    comes meanwhile changes nothing.
    """

    _until_header: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn's
        """As uvicorn asks."""
        super().connection_made(transport)
        self._expect_header()

    def on_response_complete(self) -> None:
        """As uvicorn asks."""
        super().on_response_complete()
        self._expect_header()

    def connection_lost(self, exc: Exception | None) -> None:
        """As uvicorn asks."""
        super().connection_lost(exc)
        self._expect_nothing()

    def _expect_header(self) -> None:
        self._expect_nothing()
        self._until_header = self.loop.call_later(_HEADER_S, self._close_if_idle)

    def _expect_nothing(self) -> None:
        if self._until_header is not None:
            self._until_header.cancel()

    def _close_if_idle(self) -> None:
        if self.cycle is None or self.cycle.response_complete:
            self.timeout_keep_alive_handler()


def configured(app: ASGIApp, limits: Limits) -> uvicorn.Config:
    """How uvicorn serves the application."""
    return uvicorn.Config(
        app,
        http=Connection,
        ws="none",
        lifespan="on",
        access_log=False,
        log_level="warning",
        server_header=False,
        proxy_headers=False,  # nothing here depends on whom a proxy names
        limit_concurrency=_MOST_CONNECTIONS,
        # The longest that a request may take: beyond, uvicorn breaks off what is not answered yet.
        timeout_graceful_shutdown=math.ceil(limits.upload_s + limits.batch_s),
    )


def answer_requests(app: ASGIApp, listening: socket.socket, limits: Limits) -> None:
    """Answer requests until SIGTERM or SIGINT; then take no more, answer what was accepted, return."""
    config = configured(app, limits)
    for number in (signal.SIGTERM, signal.SIGINT):
        # Uvicorn handles the signal, then raises it again when all is done; that shall be no failure.
        signal.signal(number, lambda *_: None)
    # From now on nobody is turned away, though it takes a moment until the first is answered.
    listening.listen(config.backlog)
    say(f"Open {address_of(listening)} in a browser; Ctrl-C stops.")
    uvicorn.Server(config).run(sockets=[listening])
