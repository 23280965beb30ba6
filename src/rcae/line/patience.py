"""Exponential back-off with jitter, and one message per outage."""

import random
from collections.abc import Callable

from rcae.base.errors import RcaeError
from rcae.base.progress import say

FIRST_WAIT_S = 0.5
LONGEST_WAIT_S = 30.0
"""Longest wait: after an outage of hours, recovery is noticed within half a minute (our choice)."""


class Patience:
    """Retry state of one repeated operation that may fail for a while."""

    def __init__(self, doing: str, wait: Callable[[float], object]) -> None:
        """Take the operation as the subject of a sentence, and a function that waits some seconds."""
        self._doing = doing
        self._wait = wait
        self._failures = 0

    @property
    def is_tried(self) -> bool:
        """True if the last attempt failed."""
        return self._failures > 0

    def failed(self, error: RcaeError, at_least_s: float = 0.0) -> None:
        """Report the first failure of an outage, then wait with exponential back-off and jitter."""
        if not self._failures:
            say(f"{self._doing} fails and is tried again until it works: {error}")
        longest_s = min(LONGEST_WAIT_S, FIRST_WAIT_S * 2 ** min(self._failures, 20))
        self._failures += 1
        self._wait(max(at_least_s, longest_s * random.uniform(0.5, 1)))  # noqa: S311

    def worked(self) -> None:
        """Report the end of an outage."""
        if self._failures:
            say(f"{self._doing} works again.")
        self._failures = 0
