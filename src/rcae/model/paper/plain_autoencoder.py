"""The paper's baseline: a plain convolutional autoencoder, one pass, without skip connections."""

from collections.abc import Sequence

from torch import Tensor, nn

from rcae.model.paper.blocks import ConvolutionalAutoencoder


class PlainAutoencoder(nn.Module):
    """The stand-in for the recursive autoencoder: its sequence is one reconstruction."""

    def __init__(self, image_channels: int, widths: Sequence[int]) -> None:
        super().__init__()
        self.network = ConvolutionalAutoencoder(
            image_channels, image_channels, widths, skip_connections=False
        )

    def forward(self, image: Tensor, depth: int) -> Tensor:  # noqa: ARG002
        """The reconstruction, [batch, channel, height, width], whatever the depth asked for."""
        reconstruction: Tensor = self.network(image)
        return reconstruction

    def sequence(self, image: Tensor, depths: Sequence[int]) -> Tensor:  # noqa: ARG002
        """The reconstruction as the only step, [batch, 1, channel, height, width]."""
        return self.forward(image, 1)[:, None]
