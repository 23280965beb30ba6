"""The processes that train one model together, as torchrun starts them.

Each draws and computes its share of every batch. Averages over all of them make the update that of the
whole batch.

PyTorch's DistributedDataParallel does not fit. It wants one module whose forward gives the loss, and the same
parameters in every step. The stages call parts of their networks, as deep as each step drew. The networks
are small enough for one exchange after the backward pass.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import torch
from torch import Tensor, distributed, nn

from rcae.base.errors import RcaeError, SettingsError, UsageError

LONGEST_WAIT = timedelta(hours=6)
"""Longest wait for the other processes, while the first one calibrates and writes the model."""


@dataclass(frozen=True)
class Processes:
    """The processes of one training, as this one sees them; by default it is alone, and exchanges nothing."""

    count: int = 1
    """Processes that train together, on all machines."""
    rank: int = 0
    """Number of this one among them, from 0."""
    on_this_machine: int = 1
    """Processes that share the cores of this machine."""

    @property
    def is_first(self) -> bool:
        """Whether this process is the one that writes, shows and calibrates."""
        return self.rank == 0

    @property
    def device(self) -> torch.device:
        """The GPU of this process if it has one, else the CPU."""
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")

    @property
    def share(self) -> slice:
        """The windows of a batch that are this process's own: every `count`-th from `rank` on."""
        return slice(self.rank, None, self.count)

    def require_equal_shares(self, batch_size: int) -> None:
        """Refuse a batch that the processes cannot divide equally.

        Raises:
            SettingsError: `batch_size` is not a multiple of `count`.
        """
        if batch_size % self.count:
            raise SettingsError(
                f"training.batch_size = {batch_size} cannot be divided among {self.count} processes; "
                f"make it a multiple of {self.count}, or start another number of processes."
            )

    def average(self, values: Tensor) -> Tensor:
        """The mean of `values` over all processes; see `average_over`."""
        return average_over(values, self.count)

    def average_gradients(self, network: nn.Module) -> None:
        """Turn the gradients of every process's share into those of the whole batch, in one exchange.

        Raises:
            RcaeError: another process has ended.
        """
        if self.count == 1:
            return
        # The same ones in every process: all train at the recursion depth that the step drew.
        gradients = [p.grad for p in network.parameters() if p.grad is not None]
        averaged = self.average(torch.cat([gradient.flatten() for gradient in gradients]))
        parts = torch.split(averaged, [gradient.numel() for gradient in gradients])
        for gradient, part in zip(gradients, parts, strict=True):
            gradient.copy_(part.view_as(gradient))

    def any_says(self, this_one: bool) -> bool:
        """Whether at least one process says yes; all get the same answer at the same time.

        Raises:
            RcaeError: another process has ended.
        """
        return self.average(torch.tensor(float(this_one), device=self.device)).item() > 0

    def wait(self) -> None:
        """Go on when every process has come this far.

        Raises:
            RcaeError: another process has ended.
        """
        self.any_says(False)


ALONE = Processes()
"""A training in a single process."""


def average_over(values: Tensor, count: int) -> Tensor:
    """The mean of a tensor over `count` processes, element by element; gradients do not pass.

    Args:
        values: any shape and float dtype, the same in every process.
        count: all processes that train together; 1 returns `values` themselves.

    Returns:
        Same shape and dtype.

    Raises:
        RcaeError: another process has ended.
    """
    if count == 1:
        return values
    total = values.detach().clone(memory_format=torch.contiguous_format)
    try:
        distributed.all_reduce(total)
    except RuntimeError as error:
        raise RcaeError(
            "another process of this training has ended, so this one ends too; the message of the "
            "other says why. What was saved before is intact and can be resumed."
        ) from error
    return total / count


@contextmanager
def joined() -> Iterator[Processes]:
    """Join the processes that torchrun started, if it did; only the first one shows progress.

    Raises:
        UsageError: there are more processes than GPUs.
    """
    count = int(os.environ.get("WORLD_SIZE", "1"))
    if count == 1:
        yield ALONE
        return
    if torch.cuda.is_available():
        own, gpus = int(os.environ["LOCAL_RANK"]), torch.cuda.device_count()
        if own >= gpus:
            raise UsageError(
                f"torchrun started process {own + 1} on a machine with {gpus} GPUs; give "
                f"--nproc-per-node {gpus}."
            )
        torch.cuda.set_device(own)
    backend = "nccl" if torch.cuda.is_available() else "gloo"
    distributed.init_process_group(backend, timeout=LONGEST_WAIT)
    processes = Processes(
        count, distributed.get_rank(), int(os.environ.get("LOCAL_WORLD_SIZE", count))
    )
    try:
        if processes.is_first:
            yield processes
        else:
            with Path(os.devnull).open("w") as nowhere, redirect_stderr(nowhere):
                yield processes
    finally:
        distributed.destroy_process_group()
