"""A detector of pretrained evidence alone: memories of good patches at three scales."""

from collections.abc import Sequence
from typing import cast

from torch import Tensor, nn

from rcae.model.evidence.evidence import Evidence, Sight
from rcae.model.evidence.fusion import Fusion
from rcae.model.evidence.patch_memory import SCALES, PatchMemory
from rcae.model.evidence.pretrained import load_pretrained
from rcae.model.sight import SystemSight


class MemorySystem(nn.Module):
    """Memories at all scales in the features of one pretrained network, added up in units of good images."""

    def __init__(self) -> None:
        super().__init__()
        self.pretrained = load_pretrained()
        self.evidence_kinds = nn.ModuleList(PatchMemory(scale) for scale in SCALES)
        self.fusion = Fusion([kind.cell_px for kind in self.kinds])

    @property
    def kinds(self) -> Sequence[Evidence]:
        """See `RcaeSystem.kinds`."""
        return cast("list[Evidence]", list(self.evidence_kinds))

    @property
    def evidence_names(self) -> list[str]:
        """See `RcaeSystem.evidence_names`."""
        return [kind.name for kind in self.kinds]

    def forward(self, image: Tensor) -> Tensor:
        """Return the finished anomaly map of whole images of any size.

        Args:
            image: [batch, 3, height, width], 0..1.

        Returns:
            [batch, height, width], in units of `Fusion`; higher is more anomalous.
        """
        fused: Tensor = self.fusion(self.evidence(image), image.shape[2:])
        return fused

    def evidence(self, image: Tensor) -> tuple[Tensor, ...]:
        """See `RcaeSystem.evidence`."""
        sight = self.sight(image)
        return tuple(kind(kind.features(sight)) for kind in self.kinds)

    def sight(self, image: Tensor) -> Sight:
        """See `RcaeSystem.sight`."""
        return SystemSight(None, self.pretrained, image)
