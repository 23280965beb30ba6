"""The recursion in pretrained features: what the last reconstruction has taken away from the image."""

import torch
from torch import Tensor

from rcae.model.evidence.evidence import FOLDS, Evidence, Sight, averaged
from rcae.model.evidence.patch_memory import CHANNELS, LOCAL_MEAN
from rcae.model.evidence.pretrained import COARSE_STRIDE
from rcae.model.evidence.whitening import whitening_of


class RecursionDistance(Evidence):
    """The Mahalanobis distance of phi(I) - phi(I_R^N) from that of good images (our addition).

    It is the paper's idea with features for pixels. The recursion suppresses a defect step by step, and
    pretrained features phi tell what the last step lacks. Good images give one mean and one covariance for
    all positions, in closed form once stage 1 is done.

    `mean` is [channel] and `whitening` [channel, channel]; both are zero until `settle`.
    """

    name = "recursion"
    cell_px = COARSE_STRIDE
    most_images = 48
    mean: Tensor
    whitening: Tensor

    def __init__(self) -> None:
        super().__init__()
        self._sums: list[_Sums] = []
        self.register_buffer("mean", torch.zeros(CHANNELS))
        self.register_buffer("whitening", torch.zeros(CHANNELS, CHANNELS))

    def features(self, sight: Sight) -> Tensor:
        """Return the difference of features, [batch, channel, row, column]."""
        return sight.recursion

    def forward(self, features: Tensor) -> Tensor:
        """Return the root mean square of the whitened difference, averaged over its neighbours.

        Returns:
            [batch, row, column], about 1 on good images; higher is more anomalous.
        """
        whitened = (features.permute(0, 2, 3, 1) - self.mean) @ self.whitening.T
        distance = (whitened.square().sum(dim=3) / CHANNELS).sqrt()
        return averaged(distance[:, None], LOCAL_MEAN)[:, 0]

    def learn(self, features: Tensor, fold: int) -> None:
        """See `Evidence.learn`; sums alone are remembered."""
        if not self._sums:
            self._sums = [_Sums(features.device) for _ in range(FOLDS)]
        self._sums[fold].add(features.permute(0, 2, 3, 1).flatten(end_dim=2).double())

    def settle(self, without: int | None = None) -> None:
        """See `Evidence.settle`."""
        used = [one for fold, one in enumerate(self._sums) if fold != without]
        count = sum(one.count for one in used)
        mean = torch.stack([one.total for one in used]).sum(dim=0) / count
        products = torch.stack([one.products for one in used]).sum(dim=0)
        self.mean.copy_(mean)
        self.whitening.copy_(whitening_of(products / count - torch.outer(mean, mean)))

    def forget(self) -> None:
        """See `Evidence.forget`."""
        self._sums = []


class _Sums:
    """Count, sum and products of positions, in float64."""

    def __init__(self, device: torch.device) -> None:
        self.count = 0
        self.total = torch.zeros(CHANNELS, dtype=torch.float64, device=device)
        self.products = self.total.new_zeros(CHANNELS, CHANNELS)

    def add(self, positions: Tensor) -> None:
        """Add positions, [position, channel]."""
        self.count += len(positions)
        self.total += positions.sum(dim=0)
        self.products += positions.T @ positions
