"""Batches drawn while earlier ones are trained on, so that the networks never wait for them.

Each draw depends on its step alone. Who draws it, and how many at a time, changes nothing.
"""

import multiprocessing
import os
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import torch
from torch.utils.data import DataLoader, Dataset

from rcae.base.errors import RcaeError
from rcae.training.drawn import Batch

BATCHES_AHEAD = 4
"""Batches that threads draw ahead; each drawing process draws two."""

Draw = Callable[[int], Batch]
"""The batch of a step, counted from 0."""


def drawing_processes(device: torch.device, trainings: int = 1) -> int:
    """How many processes draw for networks on a device; 0 leaves it to threads.

    A GPU takes a batch in less time than one core paints it, and threads share little more than one. On a
    CPU the networks need the cores themselves, and painting is a twentieth of the work.

    Args:
        device: the one that the networks are on.
        trainings: how many training processes share the cores of this machine.
    """
    if device.type == "cpu" or "fork" not in multiprocessing.get_all_start_methods():
        return 0
    return max(1, len(os.sched_getaffinity(0)) // trainings - 1)


def drawn_ahead(draw: Draw, first: int, end: int, processes: int = 0) -> Iterator[Batch]:
    """`draw(first) ... draw(end - 1)` in order.

    Args:
        draw: gives the batch of a step.
        first: the first step, counted from 0.
        end: the step after the last one.
        processes: how many processes draw; 0 leaves it to threads.

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
    """Forked processes draw, so that all share the images which this one has decoded."""
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
    """The batches by their place; an error is handed over as it is, since the loader would rewrite it."""

    def __init__(self, draw: Draw, first: int, end: int) -> None:
        self._draw, self._steps = draw, range(first, end)

    def __len__(self) -> int:
        return len(self._steps)

    def __getitem__(self, place: int) -> Batch | RcaeError:
        try:
            return self._draw(self._steps[place])
        except RcaeError as error:
            return error
