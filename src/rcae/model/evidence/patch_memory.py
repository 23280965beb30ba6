"""A memory of good patches in pretrained features: anomalous is what no good image has shown."""

from collections import defaultdict
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

from rcae.model.evidence.coreset import coreset, radii
from rcae.model.evidence.evidence import FOLDS, Evidence, Sight, averaged
from rcae.model.evidence.pretrained import (
    COARSE_CHANNELS,
    COARSE_STRIDE,
    FINE_CHANNELS,
    PretrainedFeatures,
)
from rcae.model.evidence.whitening import whitening_of

CHANNELS = FINE_CHANNELS + COARSE_CHANNELS
SCALES = (1, 2, 4)
"""The image is seen as it is, at half and at a quarter of its size: small and wide marks (our choice)."""
PATCHES = 2000
"""Patches in the memory (our choice); 4,000 rank no better."""
CANDIDATES = 80_000
"""Random positions that the patches are chosen from, so that the choice takes seconds."""
MOST_POSITIONS = 1024
"""Positions that are remembered of an image or tile while learning, so that memory stays small."""
LOCAL_MEAN = 3
"""Side of the square of positions whose features are averaged, and whose distances are."""


class PatchMemory(Evidence):
    """Distance of each patch of an image from the nearest good patch, less what is usual there.

    PatchCore (Roth et al., 2022) remembers a coreset of raw features. Ours are whitened (our choice).
    A new good patch lies far from good patches that lie far apart. Their radius, the mean distance of a
    patch from its neighbours in the memory, is therefore subtracted (our choice).

    `mean` is [channel], `whitening` [channel, channel], `patches` [patch, channel], whitened, and `radius`
    [patch]. Each value of `patches` is one that half precision holds. All are zero until `settle`.
    """

    most_images = 256
    mean: Tensor
    whitening: Tensor
    patches: Tensor
    radius: Tensor

    def __init__(self, scale: int) -> None:
        """Take one of `SCALES`: the image is reduced by it."""
        super().__init__()
        self.name = "memory" if scale == 1 else f"memory 1/{scale}"
        self.cell_px = COARSE_STRIDE * scale
        self._place = SCALES.index(scale)
        self._learnt: dict[int, list[Tensor]] = defaultdict(list)
        self.register_buffer("mean", torch.zeros(CHANNELS))
        self.register_buffer("whitening", torch.zeros(CHANNELS, CHANNELS))
        self.register_buffer("patches", torch.zeros(PATCHES, CHANNELS))
        self.register_buffer("radius", torch.zeros(PATCHES))

    def features(self, sight: Sight) -> Tensor:
        """Return the pretrained features at this scale, [batch, channel, row, column]."""
        return sight.patches[self._place]

    def forward(self, features: Tensor) -> Tensor:
        """Return the distance of each patch from the memory, averaged over its neighbours.

        Returns:
            [batch, row, column], about -0.2 to 0.2 on good images; higher is more anomalous.
        """
        whitened = self._whitened(features.permute(0, 2, 3, 1))
        # |z - p|^2 = |z|^2 - 2 z p + |p|^2, for all patches at once.
        products = whitened @ (-2 * self.patches.T) + self.patches.square().sum(dim=1)
        nearest, place = products.min(dim=3)
        squared = (nearest + whitened.square().sum(dim=3)).clamp(min=0)
        distance = (squared / CHANNELS).sqrt() - self.radius[place]
        return averaged(distance[:, None], LOCAL_MEAN)[:, 0]

    def learn(self, features: Tensor, fold: int) -> None:
        """Remember a random sample of the positions; see `Evidence.learn`."""
        positions = features.permute(0, 2, 3, 1).flatten(end_dim=2)
        generator = torch.Generator().manual_seed(FOLDS * len(self._learnt[fold]) + fold)
        chosen = torch.randperm(len(positions), generator=generator)[:MOST_POSITIONS]
        self._learnt[fold].append(positions[chosen.to(positions.device)])

    def settle(self, without: int | None = None) -> None:
        """Whiten by all remembered positions, and keep a coreset of them; see `Evidence.settle`.

        The coreset repeats itself where there are fewer positions. The order in which images are learnt
        depends on the run's seed, so the coreset does.
        """
        positions = torch.cat(
            [one for fold, learnt in self._learnt.items() if fold != without for one in learnt]
        )
        exact = positions.double()
        self.mean.copy_(exact.mean(dim=0))
        self.whitening.copy_(whitening_of(exact.T.cov(correction=0)))
        generator = torch.Generator().manual_seed(len(positions))
        order = torch.randperm(len(positions), generator=generator)[:CANDIDATES]
        candidates = self._whitened(positions[order.to(positions.device)])
        chosen = candidates[coreset(candidates, min(PATCHES, len(candidates)))].half().float()
        repeated = torch.arange(PATCHES, device=chosen.device) % len(chosen)
        self.patches.copy_(chosen[repeated])
        self.radius.copy_(radii(chosen)[repeated] / CHANNELS**0.5)

    def forget(self) -> None:
        """See `Evidence.forget`."""
        self._learnt.clear()

    def _whitened(self, positions: Tensor) -> Tensor:
        """Whiten features, [..., channel]."""
        return (positions - self.mean) @ self.whitening.T


def patches_at_scales(
    pretrained: PretrainedFeatures, image: Tensor, scales: Sequence[int] = SCALES
) -> list[Tensor]:
    """Return the features of every patch at each scale.

    Args:
        pretrained: the frozen network.
        image: [batch, 3, height, width], 0..1, of any size. Its lower and right edges extend it.
        scales: any of `SCALES`.

    Returns:
        [batch, 152, ceil(height / cell), ceil(width / cell)] each; a cell is 16 px times the scale.
    """
    size_px = (image.shape[2], image.shape[3])
    patches = []
    for scale in scales:
        # No farther than this scale needs: repeated edges look like nothing that images show.
        bottom, right = (-length % (COARSE_STRIDE * scale) for length in size_px)
        extended = functional.pad(image, (0, right, 0, bottom), mode="replicate")
        seen = functional.avg_pool2d(extended, scale) if scale > 1 else extended
        patches.append(patch_features(*pretrained(seen)))
    return patches


def patch_features(fine: Tensor, coarse: Tensor) -> Tensor:
    """Return both resolutions of `PretrainedFeatures` as one, each position with its neighbours.

    Args:
        fine: [batch, 40, 2 * row, 2 * column].
        coarse: [batch, 112, row, column].

    Returns:
        [batch, 152, row, column].
    """
    pooled = functional.avg_pool2d(averaged(fine, LOCAL_MEAN), 2)
    return torch.cat([pooled, averaged(coarse, LOCAL_MEAN)], dim=1)
