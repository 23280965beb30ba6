"""Batch normalisation by the statistics of a whole batch whose windows are in several processes."""

import torch
from torch import Tensor, nn

from rcae.training import processes


class WholeBatchNorm(nn.BatchNorm3d):
    """Batch normalisation of any dimension, with mean and variance over the shares of all processes.

    PyTorch's own SyncBatchNorm does the same on GPUs alone; this one can be tried without them.
    """

    def forward(self, values: Tensor) -> Tensor:
        """Same shape as `values`, [batch, channel, ...]."""
        if not self.training:
            return super().forward(values)
        assert self.running_mean is not None
        # bfloat16 is too coarse for statistics.
        return self._normalised(values.to(self.running_mean.dtype)).to(values.dtype)

    def _normalised(self, values: Tensor) -> Tensor:
        axes = [axis for axis in range(values.dim()) if axis != 1]
        shape = [-1 if axis == 1 else 1 for axis in range(values.dim())]
        mean: Tensor = _average(values.mean(axes))
        centred = values - mean.view(shape)
        variance: Tensor = _average(centred.square().mean(axes))
        self._remember(mean, variance, processes.count() * values.numel() // values.shape[1])
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


def normalise_over_processes(network: nn.Module) -> None:
    """Exchange every batch normalisation of a fresh network; names and weights stay."""
    for parent in list(network.modules()):
        for name, child in parent.named_children():
            if isinstance(child, (nn.BatchNorm2d, nn.BatchNorm3d)):
                assert child.momentum is not None
                same = WholeBatchNorm(
                    child.num_features, child.eps, child.momentum, affine=child.affine
                )
                setattr(parent, name, same)


@torch.library.custom_op("rcae::average", mutates_args=())
def _average(values: Tensor) -> Tensor:
    """`processes.average` that gradients pass: each share moves the mean that all processes use.

    An operator of its own, since a compiled network must not look inside: errors come out as they are.
    """
    return processes.average(values).clone()


_average.register_fake(torch.empty_like)
_average.register_autograd(lambda _, gradient: _average(gradient))
