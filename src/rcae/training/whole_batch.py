"""Batch normalisation by the statistics of a whole batch whose windows are in several processes."""

from typing import Any

import torch
from torch import Tensor, nn

from rcae.training.processes import average_over


class WholeBatchNorm(nn.BatchNorm3d):
    """Batch normalisation of any dimension, with mean and variance over the shares of all processes.

    PyTorch's own SyncBatchNorm does the same on GPUs alone; this one can be tried without them.

    Args:
        usual: a fresh normalisation, whose size and options count.
        process_count: how many processes share a batch.
    """

    def __init__(self, usual: nn.BatchNorm2d | nn.BatchNorm3d, process_count: int) -> None:
        super().__init__(usual.num_features, usual.eps, usual.momentum, affine=usual.affine)
        self.process_count = process_count

    def forward(self, values: Tensor) -> Tensor:
        """Normalise this process's share of a batch.

        Args:
            values: [batch, channel, ...], any float dtype.

        Returns:
            Same shape and dtype.

        Raises:
            RcaeError: another process has ended.
        """
        if not self.training:
            return super().forward(values)
        assert self.running_mean is not None
        # bfloat16 is too coarse for statistics.
        return self._normalised(values.to(self.running_mean.dtype)).to(values.dtype)

    def _normalised(self, values: Tensor) -> Tensor:
        axes = [axis for axis in range(values.dim()) if axis != 1]
        shape = [-1 if axis == 1 else 1 for axis in range(values.dim())]
        mean: Tensor = _average(values.mean(axes), self.process_count)
        centred = values - mean.view(shape)
        variance: Tensor = _average(centred.square().mean(axes), self.process_count)
        self._remember(mean, variance, self.process_count * values.numel() // values.shape[1])
        normalised = centred * (variance + self.eps).rsqrt().view(shape)
        if not self.affine:
            return normalised
        return normalised * self.weight.view(shape) + self.bias.view(shape)

    @torch.no_grad()
    def _remember(self, mean: Tensor, variance: Tensor, element_count: int) -> None:
        """Move the running statistics, as PyTorch does: with the unbiased variance."""
        assert self.momentum is not None
        assert self.running_mean is not None
        assert self.running_var is not None
        assert self.num_batches_tracked is not None
        self.running_mean.lerp_(mean, self.momentum)
        self.running_var.lerp_(variance * element_count / (element_count - 1), self.momentum)
        self.num_batches_tracked.add_(1)

    def _check_input_dim(self, input: Tensor) -> None:  # noqa: A002
        """Every dimension is fine."""


def normalise_over_processes(network: nn.Module, process_count: int) -> None:
    """Exchange every batch normalisation of a fresh network, in place; names and weights stay.

    Args:
        network: any; its normalisations are in two or three dimensions.
        process_count: how many processes share a batch.
    """
    for parent in list(network.modules()):
        for name, child in parent.named_children():
            if isinstance(child, (nn.BatchNorm2d, nn.BatchNorm3d)):
                setattr(parent, name, WholeBatchNorm(child, process_count))


@torch.library.custom_op("rcae::average", mutates_args=())
def _average(values: Tensor, process_count: int) -> Tensor:
    """`average_over` that gradients pass: each share moves the mean that all processes use.

    A compiled network must not look inside, so this is an operator of its own: errors come out as they are.
    """
    return average_over(values, process_count).clone()


def _keep_count(ctx: Any, inputs: tuple[Tensor, int], output: Tensor) -> None:  # noqa: ARG001
    ctx.process_count = inputs[1]


def _average_backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
    return _average(gradient, ctx.process_count), None


_average.register_fake(lambda values, _: torch.empty_like(values))
_average.register_autograd(_average_backward, setup_context=_keep_count)
