"""Inspections posted to an address over HTTP, signed, each accepted before the next is sent."""

import hashlib
import hmac
import time
from collections.abc import Callable
from contextlib import suppress
from email.utils import parsedate_to_datetime
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from rcae.base.errors import DeliveryError, RefusedError, UsageError
from rcae.base.extras import require
from rcae.line.outputs.output import message, reader_of
from rcae.line.record.inspection import Inspection

if TYPE_CHECKING:
    import httpx

TIMEOUT_S = 10.0
"""Our choice: to connect, to send, and between any two pieces of the answer."""
LONGEST_RETRY_AFTER_S = 3600.0
SHORTEST_SECRET = 16
READ_PIECES = 16
"""Of an answer, so that its connection can be used again; what follows is of no interest."""

ANOTHER_TRY = {401, 403, 404, 408, 425, 429}
"""Our choice: these 4xx tell of the address, the secret or the moment, not of the inspection."""


class Webhook:
    """An address that takes inspections by POST.

    Any 2xx means that it has it. Connection errors, 5xx, 3xx (redirects are not followed) and
    `ANOTHER_TRY` mean try again; any other 4xx that it will never take this inspection.
    """

    def __init__(
        self,
        url: str,
        secret: bytes,
        *,
        timeout_s: float = TIMEOUT_S,
        now: Callable[[], float] = time.time,
    ) -> None:
        """Understand the URL; nothing is connected yet.

        Raises:
            UsageError: not an HTTP address; what could be secret of it is not shown.
            MissingExtraError: HTTPX is not installed.
        """
        require("httpx", purpose="--webhook")
        import httpx

        try:
            address = httpx.URL(url)
        except httpx.InvalidURL:  # which may name a part of the password
            address = httpx.URL()
        if address.scheme not in ("http", "https") or not address.host:
            raise UsageError(
                "--webhook: this is not an HTTP address; write http[s]://[user:password@]host[:port]/path."
            )
        self._url, self._secret, self._now = url, secret, now
        public = address.copy_with(username=None, password=None, fragment=None)
        self.title = f"webhook {public.copy_with(query=None)}"
        self.reader = reader_of("webhook", str(public))
        self._client = httpx.Client(timeout=timeout_s, follow_redirects=False)

    def send(self, inspection: Inspection) -> None:
        """See `Output.send`: posted, and answered with 2xx."""
        import httpx

        body = message(inspection)
        headers = {
            "Content-Type": "application/json",
            "Idempotency-Key": inspection.id,
            "X-RcAE-Signature": signature(self._secret, int(self._now()), body),
        }
        try:
            with self._client.stream("POST", self._url, content=body, headers=headers) as answer:
                self._check(answer)
                with suppress(httpx.HTTPError):
                    list(islice(answer.iter_raw(), READ_PIECES))
        except (httpx.HTTPError, httpx.InvalidURL, UnicodeError) as error:  # the last: host names
            raise DeliveryError(
                f"{self.title} cannot be reached ({str(error) or type(error).__name__})."
            ) from error

    def close(self) -> None:
        """See `Output.close`."""
        self._client.close()

    def _check(self, answer: "httpx.Response") -> None:
        if answer.is_success:
            return
        said = f"{self.title} answers {answer.status_code} {answer.reason_phrase}"
        if answer.is_client_error and answer.status_code not in ANOTHER_TRY:
            raise RefusedError(f"{said}.")
        raise DeliveryError(f"{said}.", retry_after_s=self._retry_after_s(answer))

    def _retry_after_s(self, answer: "httpx.Response") -> float:
        """Of the header Retry-After, seconds or a date; 0 without one."""
        value = answer.headers.get("Retry-After", "")
        if value.isascii() and value.isdecimal():
            wait_s = float(value)
        else:
            try:
                wait_s = parsedate_to_datetime(value).timestamp() - self._now()
            except (ValueError, OverflowError):
                return 0.0
        return min(max(wait_s, 0.0), LONGEST_RETRY_AFTER_S)


def signature(secret: bytes, time_s: int, body: bytes) -> str:
    """The header X-RcAE-Signature: the time (Unix) and the HMAC-SHA256 of "time.body", in hex."""
    signed = hmac.new(secret, b"%d.%b" % (time_s, body), hashlib.sha256).hexdigest()
    return f"t={time_s},v1={signed}"


def read_secret(file: Path) -> bytes:
    """The secret in a file, white space around it left out; at least 16 bytes.

    Raises:
        UsageError: there is no such secret.
    """
    try:
        secret = file.read_bytes().strip()
    except OSError as error:
        raise UsageError(
            f"--webhook-secret-file: {file} cannot be read ({error.strerror or error})."
        ) from error
    if len(secret) < SHORTEST_SECRET:
        raise UsageError(
            f"--webhook-secret-file: {file} holds {len(secret)} bytes; a secret has at least "
            f"{SHORTEST_SECRET}. Make one with: openssl rand -hex 32 > {file}"
        )
    return secret
