"""A memory of good patches in pretrained features: anomalous is what no good image has shown."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from rcae.model.evidence.evidence import averaged
from rcae.model.evidence.pretrained import COARSE_CHANNELS, FINE_CHANNELS
from rcae.model.evidence.whitening import whitening_of

CHANNELS = FINE_CHANNELS + COARSE_CHANNELS
PATCHES = 2000
"""Patches in the memory (our choice): distances to 500 or 4,000 rank the polycrystalline cells alike."""
LOCAL_MEAN = 3
"""Side of the square of positions whose features are averaged, and whose distances are."""


class PatchMemory(nn.Module):
    """Distance of each patch of an image from the nearest of a random sample of good patches.

    PatchCore (Roth et al., 2022) remembers a greedy coreset of raw features. Ours are whitened, and the
    sample is random (our choices).

    `mean` is [channel], `whitening` [channel, channel] and `patches` [patch, channel], whitened. `owners`,
    [patch], names the good image that each patch comes from. All are zero until `fit`.
    """

    mean: Tensor
    whitening: Tensor
    patches: Tensor
    owners: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(CHANNELS))
        self.register_buffer("whitening", torch.zeros(CHANNELS, CHANNELS))
        self.register_buffer("patches", torch.zeros(PATCHES, CHANNELS))
        self.register_buffer("owners", torch.zeros(PATCHES, dtype=torch.int64))

    def forward(self, features: Tensor, without: int | None = None) -> Tensor:
        """Return the distance of each patch from the memory, averaged over its neighbours.

        Args:
            features: [batch, channel, row, column], see `patch_features`.
            without: the good image whose patches do not count, so that its own are judged as new ones.

        Returns:
            [batch, row, column], about 0 to 2 on good images; higher is more anomalous.
        """
        patches = self.patches if without is None else self.patches[self.owners != without]
        whitened = self._whitened(features)
        # |z - p|^2 = |z|^2 - 2 z p + |p|^2, for all patches at once.
        offsets = patches.square().sum(dim=1)
        products = functional.conv2d(whitened, -2 * patches[:, :, None, None], offsets)
        nearest = products.amin(dim=1) + whitened.square().sum(dim=1)
        distance = (nearest.clamp(min=0) / CHANNELS).sqrt()
        return averaged(distance[:, None], LOCAL_MEAN)[:, 0]

    def fit(self, good_features: Sequence[Tensor], seed: int) -> None:
        """Whiten by all positions of good images, and remember a random sample of them.

        Args:
            good_features: [1, channel, row, column] of each good image.
            seed: draws the sample, with repetition where there are fewer positions.
        """
        flat = [one[0].flatten(start_dim=1).T for one in good_features]  # [position, channel]
        owners = torch.cat([torch.full((len(one),), image) for image, one in enumerate(flat)])
        positions = torch.cat(flat).double()
        self.mean.copy_(positions.mean(dim=0))
        self.whitening.copy_(whitening_of(positions.T.cov(correction=0)))
        generator = torch.Generator().manual_seed(seed)
        order = torch.randperm(len(positions), generator=generator)
        chosen = order.repeat(-(-PATCHES // len(order)))[:PATCHES]
        sample = positions[chosen].float().T[None, :, :, None]
        self.patches.copy_(self._whitened(sample)[0, :, :, 0].T)
        self.owners.copy_(owners[chosen])

    def _whitened(self, features: Tensor) -> Tensor:
        centred = features - self.mean[:, None, None]
        return functional.conv2d(centred, self.whitening[:, :, None, None])


def patch_features(fine: Tensor, coarse: Tensor) -> Tensor:
    """Return both resolutions of `PretrainedFeatures` as one, each position with its neighbours.

    Args:
        fine: [batch, 40, ceil(height / 8), ceil(width / 8)].
        coarse: [batch, 112, ceil(height / 16), ceil(width / 16)].

    Returns:
        [batch, 152, ceil(height / 16), ceil(width / 16)].
    """
    pooled = functional.avg_pool2d(averaged(fine, LOCAL_MEAN), 2, ceil_mode=True)
    return torch.cat([pooled, averaged(coarse, LOCAL_MEAN)], dim=1)
