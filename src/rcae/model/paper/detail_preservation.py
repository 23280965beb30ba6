"""DPN: puts back the fine texture that recursion loses."""

from collections.abc import Sequence

from torch import Tensor, nn

from rcae.model.paper.blocks import ConvolutionalAutoencoder


class DetailPreservationNetwork(nn.Module):
    """The detail preservation network of the paper: I_D^n = I_R^n + DPN(I_R^n concat I').

    The first convolution of the concatenation is the sum of one of I_R^n and one of I'. The latter is the
    same for every n and computed once.
    """

    def __init__(self, image_channels: int, widths: Sequence[int]) -> None:
        super().__init__()
        self.of_reconstruction = nn.Conv2d(image_channels, widths[0], kernel_size=3, padding=1)
        self.of_gradient = nn.Conv2d(2 * image_channels, widths[0], kernel_size=3, padding=1)
        self.network = ConvolutionalAutoencoder(widths[0], image_channels, widths)

    def forward(self, reconstructions: Tensor, gradient: Tensor) -> Tensor:
        """I_D^n for every n given.

        Args:
            reconstructions: I_R^n, [batch, step, channel, height, width], any float dtype.
            gradient: I', [batch, 2 * channel, height, width], same dtype.

        Returns:
            I_D^n, [batch, step, channel, height, width], same dtype.
        """
        by_step = reconstructions.transpose(0, 1)  # as the sequence lies in memory
        of_reconstructions = self.of_reconstruction(by_step.flatten(0, 1))
        by_image = of_reconstructions.unflatten(0, by_step.shape[:2])
        of_both = by_image.add_(self.of_gradient(gradient)).flatten(0, 1)
        refined: Tensor = self.network(of_both).view_as(by_step).add_(by_step)
        return refined.transpose(0, 1)
