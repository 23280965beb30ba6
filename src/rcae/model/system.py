"""The whole system: the paper's networks and every addition to them, image in, finished map out."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import cast

import torch
from torch import Tensor, nn

from rcae.base.errors import PlugInError
from rcae.base.plug_ins import Table
from rcae.base.settings import ModelSettings
from rcae.model.evidence.evidence import Evidence, Sight, averaged
from rcae.model.evidence.feature_distance import FeatureDistance
from rcae.model.evidence.fusion import Fusion
from rcae.model.evidence.patch_memory import SCALES, PatchMemory
from rcae.model.evidence.pretrained import load_pretrained
from rcae.model.evidence.recursion_distance import RecursionDistance
from rcae.model.evidence.restoration import Restoration
from rcae.model.paper.networks import PaperNetworks
from rcae.model.sight import SystemSight
from rcae.model.tiles import blended

MAP_NAME = "map"
"""Name of M_A among the evidence."""


class RcaeSystem(PaperNetworks):
    """The paper's three networks, and the additions that the settings choose.

    `restoration` is a second head of CRD in training. `kinds` judge what the networks made, and `fusion`
    adds them to M_A. `pretrained` is the frozen network whose features some kinds read. Each is None or
    empty where the settings leave it out.
    """

    def __init__(self, settings: ModelSettings) -> None:
        super().__init__(settings)
        self.is_tiled = True
        """True if a large image is drawn tile by tile; an exported graph draws it at once."""
        self.restoration: Restoration | None = None
        self.fusion: Fusion | None = None
        if self.detection is not None and settings.restoration:
            self.restoration = Restoration(settings.detection_widths[0], 3 * settings.fold**2)
        self.evidence_kinds = nn.ModuleList(kinds_of(settings))
        self.pretrained = load_pretrained() if settings.uses_pretrained else None
        if self.kinds:
            self.fusion = Fusion([1, *(kind.cell_px for kind in self.kinds)])

    @property
    def kinds(self) -> Sequence[Evidence]:
        """Kinds of evidence beside M_A, in the order of `kinds_of`."""
        return cast("list[Evidence]", list(self.evidence_kinds))

    def forward(self, image: Tensor) -> Tensor:
        """Return the finished anomaly map of whole images of any size.

        A large image is drawn tile by tile, so that the networks' memory does not grow with it.

        Args:
            image: [batch, 3, height, width], 0..1.

        Returns:
            [batch, height, width], higher is more anomalous. It is M_A, 0..1, without kinds of evidence.
            It is the weighted sum of all evidence, in units of `Fusion`, with them.
        """
        if not self.is_tiled:
            return self.map_of_part(image)
        (anomaly_map,) = blended(image, lambda part: [self.map_of_part(part)])
        return anomaly_map

    def map_of_part(self, image: Tensor) -> Tensor:
        """Return the map of parts of images, judged place by place; the shapes are those of `forward`."""
        if self.fusion is not None:
            fused: Tensor = self.fusion(self.evidence(image), image.shape[2:])
            return fused
        return self._smoothed(self.detect(self.pad(image)), image)

    def evidence(self, image: Tensor) -> tuple[Tensor, ...]:
        """Return the maps that `fusion` adds up, in the order of `evidence_names`.

        Returns:
            [batch, row, column] each, in cells of `Fusion.cells_px`.
        """
        sight = self.sight(image)
        judged = [kind(kind.features(sight)) for kind in self.kinds]
        return self._smoothed(sight.drawn, image), *judged

    @property
    def evidence_names(self) -> list[str]:
        """Names of the maps that `evidence` returns."""
        return [MAP_NAME, *(kind.name for kind in self.kinds)]

    def sight(self, image: Tensor) -> Sight:
        """Return what the networks make of images of any size, each part computed when it is used."""
        return SystemSight(self, self.pretrained, image)

    @property
    def trained_with_detection(self) -> nn.Module | None:
        """Modules that stage 3 trains: CRD, and its second head if there is one; None without CRD."""
        if self.detection is None or self.restoration is None:
            return self.detection
        return nn.ModuleList([self.detection, self.restoration])

    def detect_and_restore(self, image: Tensor) -> Tensor:
        """Compute M_A, like `detect`, and the image without its anomalies, for training in stage 3.

        Returns:
            [batch, 1 + 3, height, width], M_A first.
        """
        assert self.restoration is not None
        levels = self.detection_levels(image)
        restored = self.unfolded(self.restoration(levels))
        return torch.cat([self.map_of(levels)[:, None], restored], dim=1)

    def _smoothed(self, drawn: Tensor, image: Tensor) -> Tensor:
        """Cut a map of the extended image to the image, and smooth it.

        It is averaged over `smoothing_px` squared so that one noisy pixel does not decide (our choice).
        """
        height, width = image.shape[2:]
        within = drawn[:, None, :height, :width]
        return averaged(within, self.settings.smoothing_px)[:, 0]


def kinds_of(settings: ModelSettings) -> list[Evidence]:
    """Return the kinds of evidence that the settings ask for, unfitted: one line for each kind.

    Raises:
        PlugInError: a name in `evidence` is unknown, or its package fails.
    """
    names: list[str] = []
    if settings.detection_network and settings.feature_distance:
        names.append("feature_distance")
    if settings.patch_memory:
        names.extend(f"patch_memory_{scale}" for scale in SCALES)
    if settings.recursion_distance:
        names.append("recursion_distance")
    return [_kind(name, settings) for name in dict.fromkeys([*names, *settings.evidence])]


def _kind(name: str, settings: ModelSettings) -> Evidence:
    kind = EVIDENCE[name](settings)
    if not isinstance(kind, Evidence):
        raise PlugInError(
            f"evidence '{name}' of {EVIDENCE.origin(name)} makes a {type(kind).__name__}; it must make a "
            "rcae.model.evidence.evidence.Evidence."
        )
    return kind


def cell_px_of(settings: ModelSettings) -> int:
    """Return the side of the square of pixels that one position of CRD's joined features stands for."""
    return settings.fold * (2 if len(settings.detection_widths) > 2 else 1)


def _memory(scale: int, _: ModelSettings) -> Evidence:
    return PatchMemory(scale)


EVIDENCE: Table[Callable[[ModelSettings], Evidence]] = Table(
    "evidence",
    "rcae.evidence",
    Callable,  # type: ignore[arg-type]
    {
        "feature_distance": lambda settings: FeatureDistance(
            sum(settings.detection_widths[:-1]), cell_px_of(settings)
        ),
        **{f"patch_memory_{scale}": partial(_memory, scale) for scale in SCALES},
        "recursion_distance": lambda _: RecursionDistance(),
    },
)
"""Makers of the kinds of evidence by their names."""
