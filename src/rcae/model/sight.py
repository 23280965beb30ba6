"""Output of the networks for the kinds of evidence: no part is computed twice or in vain."""

from functools import cached_property

from torch import Tensor

from rcae.model.evidence.patch_memory import patches_at_scales
from rcae.model.evidence.pretrained import PretrainedFeatures
from rcae.model.paper.networks import PaperNetworks, Sequences


class SystemSight:
    """The `Sight` of a system's networks; images have any size, and their edges extend them."""

    def __init__(
        self, networks: PaperNetworks | None, pretrained: PretrainedFeatures | None, image: Tensor
    ) -> None:
        """Take images [batch, 3, height, width], 0..1, and those networks that kinds ask for."""
        self.size_px = (image.shape[2], image.shape[3])
        self.image = image
        self._given, self._pretrained = networks, pretrained

    @property
    def _networks(self) -> PaperNetworks:
        assert self._given is not None
        return self._given

    @cached_property
    def _extended(self) -> Tensor:
        return self._networks.pad(self.image)

    @cached_property
    def levels(self) -> list[Tensor]:
        """See `Sight.levels`."""
        return self._networks.levels_of(self._sequences.refined, self._extended)

    @cached_property
    def drawn(self) -> Tensor:
        """See `Sight.drawn`; without CRD it is the error of the last step."""
        if self._networks.detection is None:
            return self._networks.detect(self._extended)
        return self._networks.map_of(self.levels)

    @cached_property
    def patches(self) -> list[Tensor]:
        """See `Sight.patches`."""
        assert self._pretrained is not None
        return patches_at_scales(self._pretrained, self.image)

    @cached_property
    def recursion(self) -> Tensor:
        """See `Sight.recursion`."""
        assert self._pretrained is not None
        height, width = self.size_px
        last = self._networks.unfolded(self._sequences.reconstructions[:, -1])
        (seen,) = patches_at_scales(self._pretrained, last[:, :, :height, :width], scales=(1,))
        return self.patches[0] - seen

    @cached_property
    def _sequences(self) -> Sequences:
        return self._networks.folded_sequences(self._extended)
