"""The three networks put together: image in, anomaly map out."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from rcae.base.settings import ModelSettings
from rcae.model.evidence.feature_distance import FeatureDistance, joined
from rcae.model.evidence.thumbnail_distance import ThumbnailDistance, raised
from rcae.model.evidence.weighed_evidence import Evidence, WeighedEvidence, averaged
from rcae.model.paper.cross_recursion_detection import CrossRecursionDetection
from rcae.model.paper.detail_preservation import DetailPreservationNetwork
from rcae.model.paper.folding import fold, unfold
from rcae.model.paper.gradient import spatial_gradient
from rcae.model.paper.plain_autoencoder import PlainAutoencoder
from rcae.model.paper.recursive_autoencoder import RecursiveAutoencoder


class Sequences(NamedTuple):
    """What the networks made of a batch of images, step by step."""

    reconstructions: Tensor
    """I_R^n for every step used, [batch, step, 3, height, width]."""
    refined: Tensor
    """I_D^n for the same steps, same shape; equal to `reconstructions` without a detail network."""


class RcaeSystem(nn.Module):
    """RcAE, DPN and CRD as the settings ask for them, freshly initialised.

    `reconstruction`, `detail` and `detection` are the three networks; the last two are None where
    the settings leave them out. `distance` judges the features of `detection`, `weighed` puts both
    together, and `thumbnail` judges the whole image, if the settings ask; they are None otherwise.

    `ground`, [3, 1, 1], is the colour that good images have at their edge, taken off before the networks
    and added to what they return (our choice): zeros lie beyond the edge for their convolutions, and
    would be a black frame otherwise, which costs them the corners of a bright image.
    """

    ground: Tensor

    def __init__(self, settings: ModelSettings) -> None:
        super().__init__()
        self.settings = settings
        self.register_buffer("ground", torch.full((3, 1, 1), 0.5))
        image_channels = 3 * settings.fold**2
        self.reconstruction = _reconstruction(image_channels, settings)
        self.detail = (
            DetailPreservationNetwork(image_channels, settings.detail_widths)
            if settings.detail_network
            else None
        )
        self.detection = (
            CrossRecursionDetection(
                image_channels,
                step_count=len(settings.used_steps),
                widths=settings.detection_widths,
                map_channels=settings.fold**2,
                dimensions=settings.detection_dimensions,
                restores=settings.restoration,
            )
            if settings.detection_network
            else None
        )
        self.distance: FeatureDistance | None = None
        self.weighed: WeighedEvidence | None = None
        self.thumbnail: ThumbnailDistance | None = None
        if settings.detection_network and settings.feature_distance:
            self.distance = FeatureDistance(sum(settings.detection_widths[:-1]))
            self.weighed = WeighedEvidence(self._cell_px)
            self.thumbnail = ThumbnailDistance() if settings.thumbnail_distance else None
        for network in (self.reconstruction, self.detail):
            if network is not None:  # twice as fast on a CPU; 5-D weights could not take it
                network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def reconstruct(self, image: Tensor, depth: int) -> Tensor:
        """I_R^n for n = `depth`, as trained in stage 1; shapes as `image`, [batch, 3, height, width]."""
        return self._unfold(self.reconstruction(self._fold(image), depth))

    def refine(self, image: Tensor, depth: int) -> Tensor:
        """I_D^n for n = `depth`, RcAE frozen, as trained in stage 2; shapes as `image`."""
        with torch.no_grad():
            reconstruction = self.reconstruction(self._fold(image), depth)
        return self._unfold(self._detailed(reconstruction[:, None], image)[:, 0])

    def detect(self, image: Tensor) -> Tensor:
        """M_A before smoothing, RcAE and DPN frozen, as trained in stage 3: [batch, height, width].

        Without CRD it is the last step's mean |I - I_D^N|.
        """
        if self.detection is not None:
            return self._map_of(self._detection_levels(image))
        with torch.no_grad():
            last = self._unfold(self._sequences(image).refined[:, -1])
        return (last - image).abs().mean(dim=1)

    def detect_and_restore(self, image: Tensor) -> Tensor:
        """M_A as `detect` gives it, and the image without its anomalies, as trained in stage 3.

        Returns:
            [batch, 1 + 3, height, width], M_A first.
        """
        assert self.detection is not None
        levels = self._detection_levels(image)
        restored = self._unfold(self.detection.restored(levels))
        return torch.cat([self._map_of(levels)[:, None], restored], dim=1)

    def sequences(self, image: Tensor) -> Sequences:
        """I_R^n and I_D^n of images whose height and width are multiples of fold * 2^N."""
        sequences = self._sequences(image)
        return Sequences(*map(self._unfold, sequences))

    def forward(self, image: Tensor) -> Tensor:
        """The anomaly map of images of any size, or of tiles; `with_thumbnail` completes it.

        Args:
            image: [batch, 3, height, width], 0..1.

        Returns:
            [batch, height, width], higher is more anomalous: M_A, 0..1; with the feature distance the
            sum of all evidence, in units of `WeighedEvidence`.
        """
        if self.weighed is not None:
            weighed: Tensor = self.weighed(self.evidence(image))
            return weighed
        return self._smoothed(self.detect(self.pad(image)), image)

    def with_thumbnail(self, anomaly_map: Tensor, image: Tensor) -> Tensor:
        """What `forward` drew of whole images, raised by what their thumbnails say, if the settings ask.

        Args:
            anomaly_map: [batch, height, width].
            image: [batch, 3, height, width].
        """
        if self.thumbnail is None:
            return anomaly_map
        return raised(anomaly_map, self.thumbnail(image))

    def evidence(self, image: Tensor) -> Evidence:
        """All that `weighed` makes the anomaly map of, where the settings ask for the feature distance.

        The image is extended by its edge to multiples of fold * 2^N, and what lies beyond it left out.
        """
        assert self.distance is not None
        assert self.weighed is not None
        levels = self._detection_levels(self.pad(image))
        distance = self.distance(self._within(image, levels))
        drawn = self._map_of(levels)
        return self.weighed.gather(self._smoothed(drawn, image), drawn, distance)

    def features(self, image: Tensor) -> Tensor:
        """CRD's features of images of any size, as `FeatureDistance.fit` takes them.

        Returns:
            [batch, channel, row, column], without what lies beyond the image.
        """
        return self._within(image, self._detection_levels(self.pad(image)))

    def pad(self, image: Tensor) -> Tensor:
        """Extend right and bottom edges until height and width are multiples of fold * 2^N."""
        bottom, right = (-length % self.settings.size_multiple for length in image.shape[2:])
        padded = functional.pad(image, (0, right, 0, bottom), mode="replicate")
        return padded.contiguous(memory_format=torch.channels_last)

    def _detection_levels(self, image: Tensor) -> list[Tensor]:
        """What CRD's decoder makes of each image, RcAE and DPN frozen, coarse to fine."""
        assert self.detection is not None
        with torch.no_grad():
            refined = self._sequences(image).refined
        return self.detection.features(refined, self._fold(image))

    @property
    def _cell_px(self) -> int:
        """Side of the square of pixels that one position of `joined` levels stands for."""
        return self.settings.fold * (2 if len(self.settings.detection_widths) > 2 else 1)

    def _within(self, image: Tensor, levels: Sequence[Tensor]) -> Tensor:
        """The levels joined, without what lies beyond the image."""
        # Rounded up without negative numbers, which an exported graph divides another way.
        rows, columns = ((length - 1) // self._cell_px + 1 for length in image.shape[2:])
        return joined(levels)[:, :, :rows, :columns]

    def _map_of(self, levels: Sequence[Tensor]) -> Tensor:
        assert self.detection is not None
        return unfold(self.detection.map_of(levels), self.settings.fold)[:, 0]

    def _smoothed(self, drawn: Tensor, image: Tensor) -> Tensor:
        """What was drawn of the extended image, within the image.

        Averaged over `smoothing_px` squared so that one noisy pixel does not decide (our choice).
        """
        height, width = image.shape[2:]
        within = drawn[:, None, :height, :width]
        return averaged(within, self.settings.smoothing_px)[:, 0]

    def _sequences(self, image: Tensor) -> Sequences:
        """As `sequences`, as the networks see them."""
        reconstructions = self.reconstruction.sequence(self._fold(image), self.settings.used_steps)
        return Sequences(reconstructions, self._detailed(reconstructions, image))

    def _detailed(self, reconstructions: Tensor, image: Tensor) -> Tensor:
        if self.detail is None:
            return reconstructions
        refined: Tensor = self.detail(
            reconstructions, fold(spatial_gradient(image), self.settings.fold)
        )
        return refined

    def _fold(self, image: Tensor) -> Tensor:
        """As the networks see it: less the ground, blocks of pixels as channels."""
        return fold(image - self.ground, self.settings.fold)

    def _unfold(self, seen: Tensor) -> Tensor:
        """The inverse of `_fold`, of [batch, (step,) channel, height, width]."""
        return unfold(seen, self.settings.fold) + self.ground


def _reconstruction(
    image_channels: int, settings: ModelSettings
) -> RecursiveAutoencoder | PlainAutoencoder:
    if settings.form == "plain":
        return PlainAutoencoder(image_channels, settings.reconstruction_widths)
    return RecursiveAutoencoder(
        image_channels,
        recursion_depth=settings.recursion_depth,
        carried_channels=settings.carried_channels,
        widths=settings.reconstruction_widths,
        skip_connections=settings.skip_connections,
        share_weights=settings.share_weights,
    )
