"""Signed inspections by HTTP POST, each accepted before the next is sent."""

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
from rcae.base.storage import require_private
from rcae.line.outputs.output import message, reader_of
from rcae.line.record.inspection import Inspection

if TYPE_CHECKING:
    import httpx

TIMEOUT_S = 10.0
"""Timeout of the connection, of sending, and between two pieces of the response (our choice)."""
LONGEST_RETRY_AFTER_S = 3600.0
SHORTEST_SECRET = 16
READ_PIECES = 16
"""Pieces that are read of a response, so that its connection can be reused; the rest is ignored."""

ANOTHER_TRY = {401, 403, 404, 408, 425, 429}
"""4xx codes that are retried (our choice): they concern the address, the secret or the moment."""


class Webhook:
    """An address that receives inspections by POST.

    Any 2xx confirms an inspection. Connection errors, 5xx, 3xx and the codes of `ANOTHER_TRY` cause a
    retry; redirects are not followed. Any other 4xx rejects the inspection for good.
    """

    def __init__(
        self,
        url: str,
        secret: bytes,
        *,
        timeout_s: float = TIMEOUT_S,
        now: Callable[[], float] = time.time,
    ) -> None:
        """Parse the URL without connecting.

        Raises:
            UsageError: the URL is no HTTP address; the message hides possible secrets.
            MissingExtraError: HTTPX is not installed.
        """
        require("httpx", purpose="--webhook")
        import httpx

        try:
            address = httpx.URL(url)
        except httpx.InvalidURL:  # its text may contain a part of the password
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
        """Post an inspection and require a 2xx response; see `Output.send`."""
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
        except (
            httpx.HTTPError,
            httpx.InvalidURL,
            UnicodeError,
        ) as error:  # UnicodeError: host names
            raise DeliveryError(
                f"{self.title} cannot be reached ({str(error) or type(error).__name__})."
            ) from error

    def close(self) -> None:
        """Close the client; see `Output.close`."""
        self._client.close()

    def _check(self, answer: "httpx.Response") -> None:
        if answer.is_success:
            return
        said = f"{self.title} answers {answer.status_code} {answer.reason_phrase}"
        if answer.is_client_error and answer.status_code not in ANOTHER_TRY:
            raise RefusedError(f"{said}.")
        raise DeliveryError(f"{said}.", retry_after_s=self._retry_after_s(answer), is_answer=True)

    def _retry_after_s(self, answer: "httpx.Response") -> float:
        """Read the Retry-After header, in seconds or as a date; return 0 without one."""
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
    """Return the X-RcAE-Signature header: the Unix time and the HMAC-SHA256 of "time.body", in hex."""
    signed = hmac.new(secret, b"%d.%b" % (time_s, body), hashlib.sha256).hexdigest()
    return f"t={time_s},v1={signed}"


def read_secret(file: Path) -> bytes:
    """Read the secret in a file, stripped of white space; it must have at least 16 bytes.

    Raises:
        UsageError: the file cannot be read, can be read by every user, or the secret is too short.
    """
    try:
        require_private(file)
        secret = file.read_bytes().strip()
    except OSError as error:
        raise UsageError(
            f"--webhook-secret-file: {file} cannot be read ({error.strerror or error})."
        ) from error
    if len(secret) < SHORTEST_SECRET:
        raise UsageError(
            f"--webhook-secret-file: {file} holds {len(secret)} bytes; a secret has at least "
            f"{SHORTEST_SECRET}. Make one with: openssl rand -hex 32 > {file} && chmod 600 {file}"
        )
    return secret
