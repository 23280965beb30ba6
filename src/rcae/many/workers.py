"""Pool of Ray actors: pieces of work are handed out one by one, and handed out again when a worker ends."""

from collections import Counter, deque
from collections.abc import Callable, Hashable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from rcae.base.errors import RcaeError
from rcae.base.progress import say
from rcae.many.cluster import own_error

Piece = TypeVar("Piece", bound=Hashable)

MOST_TRIES = 3
"""Workers that one piece may end, and new workers in a row that may end before they are ready."""


@dataclass(frozen=True)
class Failure:
    """Reason why no worker finished a piece."""

    reason: str


@dataclass
class Pool(Generic[Piece]):
    """Workers on a cluster, each busy with one piece; a lost worker is replaced.

    A worker is an actor with two methods. `ready` prepares it, `work` takes a piece and returns its result.
    """

    ray: Any
    make_worker: Callable[[], Any]
    size: int
    """Largest number of workers."""
    _busy: dict[Any, tuple[Any, Piece | None]] = field(default_factory=dict)
    """Worker and piece of each call that runs; the piece is None while the worker gets ready."""
    _idle: list[Any] = field(default_factory=list)

    def results(self, pieces: Iterable[Piece]) -> Iterator[tuple[Piece, Any]]:
        """Yield every piece with its result, as they are finished; a `Failure` after `MOST_TRIES` workers.

        Workers end with the last piece, or when the results are abandoned.

        Raises:
            RcaeError: a worker raised it on purpose, or workers end before they are ready.
        """
        waiting = deque(pieces)
        left = len(waiting)
        tries: Counter[Piece | None] = Counter()
        try:
            while left:
                self._hand_out(waiting)
                worker, piece, result = self._next()
                if not isinstance(result, Failure):
                    self._idle.append(worker)
                    tries[piece] = 0
                else:
                    self.ray.kill(worker)
                    tries[piece] += 1
                    say(f"a worker has ended and is replaced: {result.reason}")
                    if tries[piece] < MOST_TRIES:
                        waiting.extendleft([] if piece is None else [piece])
                        continue
                    if piece is None:
                        raise RcaeError(f"workers end before they are ready: {result.reason}")
                if piece is not None:
                    left -= 1
                    yield piece, result
        finally:
            for worker in [*self._idle, *(worker for worker, _ in self._busy.values())]:
                self.ray.kill(worker)
            self._idle.clear()
            self._busy.clear()

    def _hand_out(self, waiting: deque[Piece]) -> None:
        """Give each idle worker a piece, and start workers for the other pieces."""
        while self._idle and waiting:
            worker, piece = self._idle.pop(), waiting.popleft()
            self._busy[worker.work.remote(piece)] = (worker, piece)
        starting = sum(piece is None for _, piece in self._busy.values())
        room = self.size - len(self._busy) - len(self._idle)
        for _ in range(min(room, len(waiting) - starting)):
            worker = self.make_worker()
            self._busy[worker.ready.remote()] = (worker, None)

    def _next(self) -> tuple[Any, Piece | None, Any]:
        """Wait for the next call that ends; return its worker, its piece and its result or `Failure`."""
        (call,), _ = self.ray.wait([*self._busy], num_returns=1)
        worker, piece = self._busy.pop(call)
        try:
            return worker, piece, self.ray.get(call)
        except self.ray.exceptions.RayError as error:
            if refusal := own_error(error):
                raise refusal from error
            return worker, piece, Failure(_reason(error))


def _reason(error: Exception) -> str:
    """Return what ended a worker, in one line."""
    cause = getattr(error, "cause", None)
    lines = [line.strip() for line in str(cause or error).splitlines() if line.strip()]
    name = type(cause or error).__name__
    return f"{name}: {lines[0]}" if lines else name
