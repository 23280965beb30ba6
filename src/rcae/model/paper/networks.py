"""The composition of RcAE, DPN and CRD in the paper: an image in, the map M_A out."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from rcae.base.settings import ModelSettings
from rcae.model.paper.cross_recursion_detection import CrossRecursionDetection
from rcae.model.paper.detail_preservation import DetailPreservationNetwork
from rcae.model.paper.folding import fold, unfold
from rcae.model.paper.gradient import spatial_gradient
from rcae.model.paper.plain_autoencoder import PlainAutoencoder
from rcae.model.paper.recursive_autoencoder import RecursiveAutoencoder


class Sequences(NamedTuple):
    """Output of RcAE and DPN for a batch of images, step by step."""

    reconstructions: Tensor
    """Reconstructions I_R^n for every step used, [batch, step, 3, height, width]."""
    refined: Tensor
    """I_D^n for the same steps, same shape; equal to `reconstructions` without a detail network."""


class PaperNetworks(nn.Module):
    """The three networks that the settings choose, freshly initialised.

    `reconstruction`, `detail` and `detection` are RcAE, DPN and CRD; the last two are None where the
    settings leave them out.

    `ground`, [3, 1, 1], is the colour that good images have at their edge. It is subtracted before the
    networks, and added to their output (our choice). Convolutions see zeros beyond the edge. Zeros would
    otherwise be a black frame, and the networks would fail in the corners of a bright image.
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
            )
            if settings.detection_network
            else None
        )
        for network in (self.reconstruction, self.detail):
            if network is not None:  # twice as fast on a CPU; 5-D weights could not take it
                network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def reconstruct(self, image: Tensor, depth: int) -> Tensor:
        """Return I_R^n for n = `depth`, trained in stage 1; its shape is that of `image`.

        The shape is [batch, 3, height, width].
        """
        return self.unfolded(self.reconstruction(self.folded(image), depth))

    def refine(self, image: Tensor, depth: int) -> Tensor:
        """Return I_D^n for n = `depth`, trained in stage 2 with RcAE frozen, in the shape of `image`."""
        with torch.no_grad():
            reconstruction = self.reconstruction(self.folded(image), depth)
        return self.unfolded(self._detailed(reconstruction[:, None], image)[:, 0])

    def detect(self, image: Tensor) -> Tensor:
        """Return M_A, trained in stage 3 with RcAE and DPN frozen, [batch, height, width].

        It is the mean over channels of |I - I_D^N|, from the last step, if there is no CRD.
        """
        if self.detection is not None:
            return self.map_of(self.detection_levels(image))
        with torch.no_grad():
            last = self.unfolded(self.folded_sequences(image).refined[:, -1])
        return (last - image).abs().mean(dim=1)

    def sequences(self, image: Tensor) -> Sequences:
        """Return I_R^n and I_D^n of images whose height and width are multiples of fold * 2^N."""
        return Sequences(*map(self.unfolded, self.folded_sequences(image)))

    def detection_levels(self, image: Tensor) -> list[Tensor]:
        """Return the features of CRD's decoder for each image, RcAE and DPN frozen, coarse to fine."""
        with torch.no_grad():
            refined = self.folded_sequences(image).refined
        return self.levels_of(refined, image)

    def levels_of(self, refined: Tensor, image: Tensor) -> list[Tensor]:
        """Return the result of `detection_levels` from I_D^n, folded and without ground."""
        assert self.detection is not None
        return self.detection.features(refined, self.folded(image))

    def map_of(self, levels: Sequence[Tensor]) -> Tensor:
        """Return M_A from the result of `detection_levels`, [batch, height, width]."""
        assert self.detection is not None
        return unfold(self.detection.map_of(levels), self.settings.fold)[:, 0]

    def pad(self, image: Tensor) -> Tensor:
        """Extend right and bottom edges until height and width are multiples of fold * 2^N."""
        bottom, right = (-length % self.settings.size_multiple for length in image.shape[2:])
        padded = functional.pad(image, (0, right, 0, bottom), mode="replicate")
        return padded.contiguous(memory_format=torch.channels_last)

    def folded(self, image: Tensor) -> Tensor:
        """Turn images into the networks' input: subtract the ground, and fold blocks into channels."""
        return fold(image - self.ground, self.settings.fold)

    def unfolded(self, seen: Tensor) -> Tensor:
        """Turn [batch, (step,) channel, height, width] back into images: the inverse of `folded`."""
        return unfold(seen, self.settings.fold) + self.ground

    def folded_sequences(self, image: Tensor) -> Sequences:
        """Return the result of `sequences`, still folded and without ground."""
        reconstructions = self.reconstruction.sequence(self.folded(image), self.settings.used_steps)
        return Sequences(reconstructions, self._detailed(reconstructions, image))

    def _detailed(self, reconstructions: Tensor, image: Tensor) -> Tensor:
        if self.detail is None:
            return reconstructions
        refined: Tensor = self.detail(
            reconstructions, fold(spatial_gradient(image), self.settings.fold)
        )
        return refined


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
