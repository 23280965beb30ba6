"""Batches drawn while earlier ones are trained on, so that the networks never wait for them.

Each draw depends on its step alone, so who draws it, and how many at a time, changes nothing.
"""

import multiprocessing
import os
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import torch
from torch.utils.data import DataLoader, Dataset

from rcae.base.errors import RcaeError
from rcae.training.stages import Batch

BATCHES_AHEAD = 4
"""Of threads; each process draws two ahead."""

Draw = Callable[[int], Batch]


def drawing_processes(device: torch.device) -> int:
    """How many processes draw for networks on this device; 0 leaves it to threads.

    A GPU takes a batch in less time than one core paints it, and threads share little more than one. On a
    CPU the networks need the cores themselves, and painting is a twentieth of the work.
    """
    if device.type == "cpu" or "fork" not in multiprocessing.get_all_start_methods():
        return 0
    cores = len(os.sched_getaffinity(0)) // int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
    return max(1, cores - 1)


def drawn_ahead(draw: Draw, first: int, end: int, processes: int = 0) -> Iterator[Batch]:
    """`draw(first) ... draw(end - 1)` in order, by so many processes or, with 0, by threads.

    Raises:
        RcaeError: what `draw` raises.
    """
    return (
        _by_processes(draw, first, end, processes) if processes else _by_threads(draw, first, end)
    )


def _by_threads(draw: Draw, first: int, end: int) -> Iterator[Batch]:
    with ThreadPoolExecutor(max_workers=BATCHES_AHEAD) as pool:
        waiting: deque[Future[Batch]] = deque()
        try:
            for step in range(first, end):
                waiting.append(pool.submit(draw, step))
                if len(waiting) > BATCHES_AHEAD:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()


def _by_processes(draw: Draw, first: int, end: int, processes: int) -> Iterator[Batch]:
    """Forked, so that all share the images which this process has decoded."""
    loader = DataLoader(
        _Drawn(draw, first, end),
        batch_size=None,
        num_workers=processes,
        pin_memory=torch.cuda.is_available(),
        multiprocessing_context="fork",
    )
    for drawn in loader:
        if isinstance(drawn, RcaeError):
            raise drawn
        yield drawn


class _Drawn(Dataset["Batch | RcaeError"]):
    """The batches by their place; an error is handed over as it is, for the loader would rewrite it."""

    def __init__(self, draw: Draw, first: int, end: int) -> None:
        self._draw, self._steps = draw, range(first, end)

    def __len__(self) -> int:
        return len(self._steps)

    def __getitem__(self, place: int) -> Batch | RcaeError:
        try:
            return self._draw(self._steps[place])
        except RcaeError as error:
            return error
