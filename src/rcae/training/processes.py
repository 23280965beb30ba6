"""Several processes that train one model together, as torchrun starts them.

Each draws and computes its share of every batch; what they average makes the update that of the whole
batch. In a single process all of this does nothing.

Gradients are averaged here and not by DistributedDataParallel: that wants one module whose forward
gives the loss, and the same parameters used in every step. The stages call parts of their networks,
as deep as each step drew, and the networks are small enough for one exchange after the backward pass.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr
from datetime import timedelta
from pathlib import Path

import torch
from torch import Tensor, distributed, nn

from rcae.base.errors import RcaeError, SettingsError, UsageError

LONGEST_WAIT = timedelta(hours=6)
"""Of the other processes, while the first one calibrates and writes the model."""


@contextmanager
def joined() -> Iterator[None]:
    """Join the processes that torchrun started, if it did; only the first one shows progress.

    Raises:
        UsageError: there are more processes than GPUs.
    """
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        yield
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
    try:
        if is_first():
            yield
        else:
            with Path(os.devnull).open("w") as nowhere, redirect_stderr(nowhere):
                yield
    finally:
        distributed.destroy_process_group()


def count() -> int:
    """How many processes train together; 1 without torchrun."""
    return distributed.get_world_size() if distributed.is_initialized() else 1


def is_first() -> bool:
    """Whether this process is the one that writes, shows and calibrates."""
    return not distributed.is_initialized() or distributed.get_rank() == 0


def device() -> torch.device:
    """The GPU of this process, if it has one."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def require_equal_shares(batch_size: int) -> None:
    """Refuse a batch that the processes cannot divide equally.

    Raises:
        SettingsError: it has a remainder.
    """
    if batch_size % count():
        raise SettingsError(
            f"training.batch_size = {batch_size} cannot be divided among {count()} processes; make it "
            f"a multiple of {count()}, or start another number of processes."
        )


def share() -> slice:
    """Which of a batch's windows are this process's own."""
    return slice(distributed.get_rank() if distributed.is_initialized() else 0, None, count())


def average(values: Tensor) -> Tensor:
    """The mean of a tensor over all processes, element by element; gradients do not pass.

    Raises:
        RcaeError: another process is gone.
    """
    if count() == 1:
        return values
    total = values.detach().clone(memory_format=torch.contiguous_format)
    try:
        distributed.all_reduce(total)
    except RuntimeError as error:
        raise RcaeError(
            "another process of this training has ended, so this one ends too; the message of the "
            "other says why. What was saved before is intact and can be resumed."
        ) from error
    return total / count()


def average_gradients(network: nn.Module) -> None:
    """Turn the gradients of every process's share into those of the whole batch, in one exchange."""
    if count() == 1:
        return
    # The same ones in every process: all train at the recursion depth that the step drew.
    gradients = [p.grad for p in network.parameters() if p.grad is not None]
    averaged = average(torch.cat([gradient.flatten() for gradient in gradients]))
    parts = torch.split(averaged, [gradient.numel() for gradient in gradients])
    for gradient, part in zip(gradients, parts, strict=True):
        gradient.copy_(part.view_as(gradient))


def any_says(this_one: bool) -> bool:
    """Whether at least one process says yes; every process gets the same answer at the same time."""
    return average(torch.tensor(float(this_one), device=device())).item() > 0


def wait() -> None:
    """Go on when every process has come this far."""
    any_says(False)
