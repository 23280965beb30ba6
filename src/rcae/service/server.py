"""The service as a process: listens, answers until it is told to stop, finishes what it accepted."""

import signal
import socket

import uvicorn
from fastapi import FastAPI

from rcae.errors import UsageError
from rcae.progress import say
from rcae.service.limits import Limits

_MOST_CONNECTIONS = 512


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


def answer_requests(app: FastAPI, listening: socket.socket, limits: Limits) -> None:
    """Answer requests until SIGTERM or SIGINT; then take no more, answer what was accepted, return."""
    config = uvicorn.Config(
        app,
        http="h11",
        ws="none",
        lifespan="on",
        access_log=False,
        log_level="warning",
        server_header=False,
        proxy_headers=False,  # nothing here depends on whom a proxy names
        limit_concurrency=_MOST_CONNECTIONS,
        timeout_graceful_shutdown=int(limits.upload_s + limits.answer_s),
    )
    for number in (signal.SIGTERM, signal.SIGINT):
        # Uvicorn handles the signal, then raises it again when all is done; that shall be no failure.
        signal.signal(number, lambda *_: None)
    # From now on nobody is turned away, though it takes a moment until the first is answered.
    listening.listen(config.backlog)
    say(f"Open {address_of(listening)} in a browser; Ctrl-C stops.")
    uvicorn.Server(config).run(sockets=[listening])
