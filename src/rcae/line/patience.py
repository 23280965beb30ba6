"""While something outside fails: say so once, wait longer each time, say when it works again."""

import random
from collections.abc import Callable

from rcae.base.errors import RcaeError
from rcae.base.progress import say

FIRST_WAIT_S = 0.5
LONGEST_WAIT_S = 30.0
"""Our choice: what was away for hours is found back within half a minute."""


class Patience:
    """Of one thing that is done again and again, and that may fail for a while."""

    def __init__(self, doing: str, wait: Callable[[float], object]) -> None:
        """Take what is done, as the subject of a sentence, and how to wait a number of seconds."""
        self._doing = doing
        self._wait = wait
        self._failures = 0

    @property
    def is_tried(self) -> bool:
        """Whether it failed when it was last done."""
        return self._failures > 0

    def failed(self, error: RcaeError, at_least_s: float = 0.0) -> None:
        """Say why, the first time, and wait: twice as long as before, less a part left to chance."""
        if not self._failures:
            say(f"{self._doing} fails and is tried again until it works: {error}")
        longest_s = min(LONGEST_WAIT_S, FIRST_WAIT_S * 2 ** min(self._failures, 20))
        self._failures += 1
        self._wait(max(at_least_s, longest_s * random.uniform(0.5, 1)))  # noqa: S311

    def worked(self) -> None:
        """Say so if it failed before."""
        if self._failures:
            say(f"{self._doing} works again.")
        self._failures = 0
