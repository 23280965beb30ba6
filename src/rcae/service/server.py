"""Server process: it listens, answers until a signal, and finishes the accepted requests."""

import asyncio
import math
import signal
import socket
from collections.abc import Callable, Iterable

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol

from rcae.base.errors import UsageError
from rcae.base.progress import say
from rcae.service.limits import Limits
from rcae.service.served_model import ServedModel

_MOST_CONNECTIONS = 512
_TILE_S = 5
"""Longest time of one tile that is being drawn when an inspection is stopped (our choice)."""
_HEADER_S = 10
"""Timeout of a request header (our choice); it ends slowloris attacks, because a header comes at once."""
_READ_S, _READ_ALL_S = 10, 300
"""Longest time without any progress of a client that reads a response, and in all (our choice)."""


def listen(host: str, port: int) -> socket.socket:
    """Open a socket for `answer_requests`; port 0 takes any free port.

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
    """Return the URL for a browser."""
    host, port = listening.getsockname()[:2]
    return f"http://[{host}]:{port}/" if ":" in host else f"http://{host}:{port}/"


class Connection(H11Protocol):
    """Connection that is closed if no request header is complete within 10 s, or its client stops reading.

    The time runs from the start of the connection, or from the previous response.
    Data in between does not extend it. Uvicorn alone would wait for ever.
    """

    _until_header: asyncio.TimerHandle | None = None
    _until_read: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # uvicorn's signature
        """Start the timeout with the connection; called by uvicorn."""
        super().connection_made(transport)
        self._expect_header()

    def on_response_complete(self) -> None:
        """Restart the timeout after a response; called by uvicorn."""
        super().on_response_complete()
        self._expect_header()

    def connection_lost(self, exc: Exception | None) -> None:
        """Cancel the timeout; called by uvicorn."""
        super().connection_lost(exc)
        self._expect_nothing()
        self._expect_no_reading()

    def pause_writing(self) -> None:
        """Watch a client that does not read as fast as the response is written; called by asyncio."""
        super().pause_writing()
        self._expect_reading(_READ_ALL_S)

    def resume_writing(self) -> None:
        """Go on writing; called by asyncio."""
        super().resume_writing()
        self._expect_no_reading()

    def _expect_reading(self, left_s: float) -> None:
        waiting_bytes = self.transport.get_write_buffer_size()

        def look() -> None:
            if left_s <= _READ_S or self.transport.get_write_buffer_size() >= waiting_bytes:
                self.transport.abort()  # closing would wait for the client
            else:
                self._expect_reading(left_s - _READ_S)

        self._until_read = self.loop.call_later(_READ_S, look)

    def _expect_no_reading(self) -> None:
        if self._until_read is not None:
            self._until_read.cancel()

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
    """Return uvicorn's configuration for the application."""
    return uvicorn.Config(
        app,
        http=Connection,
        ws="none",
        lifespan="on",
        access_log=False,
        log_level="warning",
        server_header=False,
        proxy_headers=False,  # no rule depends on the client's address
        limit_concurrency=_MOST_CONNECTIONS,
        # Uvicorn then aborts requests that are still on their way, or whose answers nobody reads.
        timeout_graceful_shutdown=math.ceil(limits.shutdown_s) + _TILE_S,
    )


class _Server(uvicorn.Server):
    """Server that says when its shutdown begins."""

    def __init__(self, config: uvicorn.Config, stop: Callable[[], None]) -> None:
        super().__init__(config)
        self._stop = stop

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop answering; called by uvicorn."""
        self._stop()
        await super().shutdown(sockets)


def answer_requests(
    app: ASGIApp, models: Iterable[ServedModel], listening: socket.socket, limits: Limits
) -> None:
    """Answer requests until SIGTERM or SIGINT, finish the accepted requests in `shutdown_s`, then return."""

    def stop() -> None:
        for model in models:
            model.batcher.stop_within(limits.shutdown_s)

    config = configured(app, limits)
    for number in (signal.SIGTERM, signal.SIGINT):
        # Uvicorn handles the signal, then raises it again at the end; that must not be a failure.
        signal.signal(number, lambda *_: None)
    # Connections are accepted from now on; the first answer takes a moment.
    listening.listen(config.backlog)
    say(f"Open {address_of(listening)} in a browser; Ctrl-C stops.")
    _Server(config, stop).run(sockets=[listening])
