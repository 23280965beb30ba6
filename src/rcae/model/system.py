"""The three networks put together: image in, anomaly map out."""

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from rcae.model.cross_recursion_detection import CrossRecursionDetection
from rcae.model.detail_preservation import DetailPreservationNetwork
from rcae.model.recursive_autoencoder import RecursiveAutoencoder
from rcae.settings import ModelSettings


class Sequences(NamedTuple):
    """What the networks made of a batch of images, step by step."""

    reconstructions: Tensor
    """I_R^n for every step used, [batch, step, 3, height, width]."""
    refined: Tensor
    """I_D^n for the same steps, same shape; equal to `reconstructions` without a detail network."""


class RcaeSystem(nn.Module):
    """RcAE, DPN and CRD as the settings ask for them, freshly initialised.

    `reconstruction`, `detail` and `detection` are the three networks; the last two are None where
    the settings leave them out.
    """

    def __init__(self, settings: ModelSettings) -> None:
        super().__init__()
        self.settings = settings
        self.reconstruction = RecursiveAutoencoder(
            recursion_depth=settings.recursion_depth,
            carried_channels=settings.carried_channels,
            widths=settings.reconstruction_widths,
            skip_connections=settings.skip_connections,
            share_weights=settings.share_weights,
        )
        self.detail = (
            DetailPreservationNetwork(settings.detail_widths) if settings.detail_network else None
        )
        self.detection = (
            CrossRecursionDetection(
                len(settings.used_steps), settings.detection_widths, settings.detection_fold
            )
            if settings.detection_network
            else None
        )
        for network in (self.reconstruction, self.detail):
            if network is not None:  # twice as fast on a CPU; CRD's 5-D weights cannot take it
                network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def sequences(self, image: Tensor) -> Sequences:
        """I_R^n and I_D^n of images whose height and width are multiples of 2^N."""
        indices = [step - 1 for step in self.settings.used_steps]
        reconstructions = self.reconstruction.sequence(image)[:, indices]
        if self.detail is None:
            return Sequences(reconstructions, reconstructions)
        return Sequences(reconstructions, self.detail(reconstructions, image))

    def raw_map(self, sequences: Sequences, image: Tensor) -> Tensor:
        """M_A before smoothing, [batch, height, width]; without CRD, the last step's mean |I - I_D^N|."""
        if self.detection is None:
            return (sequences.refined[:, -1] - image).abs().mean(dim=1)
        anomaly_map: Tensor = self.detection(sequences.refined, image)
        return anomaly_map

    def forward(self, image: Tensor) -> Tensor:
        """The anomaly map of images of any size.

        The image is extended by its edge to multiples of 2^N (and of 4) and the map cropped back. The map is
        averaged over `smoothing_px` squared so that one noisy pixel does not decide (our choice).

        Args:
            image: [batch, 3, height, width], 0..1.

        Returns:
            [batch, height, width], higher is more anomalous; 0..1 with CRD.
        """
        padded = self.pad(image)
        raw_map = self.raw_map(self.sequences(padded), padded)[
            :, : image.shape[2], : image.shape[3]
        ]
        side = self.settings.smoothing_px
        return functional.avg_pool2d(
            raw_map[:, None], side, stride=1, padding=side // 2, count_include_pad=False
        )[:, 0]

    def pad(self, image: Tensor) -> Tensor:
        """Extend right and bottom edges until height and width are multiples of 2^N and of 4."""
        multiple = max(2**self.settings.recursion_depth, 4)  # 4: the largest fold
        bottom, right = (-length % multiple for length in image.shape[2:])
        padded = functional.pad(image, (0, right, 0, bottom), mode="replicate")
        return padded.contiguous(memory_format=torch.channels_last)
