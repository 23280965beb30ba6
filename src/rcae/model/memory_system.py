"""A detector of pretrained evidence alone: memories of good patches at two scales."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from rcae.model.evidence.fusion import Fusion, peaks_of
from rcae.model.evidence.patch_memory import PatchMemory, patch_features
from rcae.model.evidence.pretrained import COARSE_STRIDE, load_pretrained

SCALES = (1, 2)
"""The image is seen as it is, and at half its size: small marks and wide ones (our choice)."""


class MemorySystem(nn.Module):
    """Two memories in the features of one pretrained network, added up in units of good images."""

    def __init__(self) -> None:
        super().__init__()
        self.pretrained = load_pretrained()
        self.memories = nn.ModuleList(PatchMemory() for _ in SCALES)
        self.fusion = Fusion([COARSE_STRIDE * scale for scale in SCALES])

    def forward(self, image: Tensor) -> Tensor:
        """Return the finished anomaly map of whole images of any size.

        Args:
            image: [batch, 3, height, width], 0..1.

        Returns:
            [batch, height, width], in units of `Fusion`; higher is more anomalous.
        """
        seen = zip(self.memories, self._features(image), strict=True)
        fused: Tensor = self.fusion(
            [memory(features) for memory, features in seen], image.shape[2:]
        )
        return fused

    @torch.no_grad()
    def fit(self, good: Sequence[Tensor], seed: int) -> None:
        """Learn from good images, [1, 3, height, width] each, at least two.

        A memory without an image's own patches judges that image: what is usual then holds for new ones.
        """
        features = [self._features(image) for image in good]
        for scale, memory in enumerate(self.memories):
            memory.fit([one[scale] for one in features], seed)  # type: ignore[operator]
        peaks = [
            peaks_of(
                [memory(one[scale], without=number) for scale, memory in enumerate(self.memories)]
            )
            for number, one in enumerate(features)
        ]
        self.fusion.fit(torch.cat(peaks).numpy())

    def _features(self, image: Tensor) -> list[Tensor]:
        """Return the features of every scale, [batch, 152, row, column] each."""
        return [
            patch_features(*self.pretrained(functional.avg_pool2d(image, scale, ceil_mode=True)))
            for scale in SCALES
        ]
