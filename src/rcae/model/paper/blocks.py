"""The one building block of all three networks: a small convolutional autoencoder, in 2D or 3D."""

from collections.abc import Sequence

from torch import Tensor, nn

from rcae.model.paper.layer import convolution, layer
from rcae.model.paper.up_layer import UpLayer


class ConvolutionalAutoencoder(nn.Module):
    """Encoder and decoder of a few levels, joined by skip connections if wanted.

    Level k works at 1/2^k of the height and width with `widths[k]` channels. In 3D the recursion
    step is never down-sampled: strides act on height and width alone. Any height and width is
    accepted: each decoder level returns to the exact size of its encoder level.

    Our choices are LeakyReLU, and batch normalisation only where asked for. Up-sampling takes the nearest
    neighbour and convolves, which leaves no checkerboard; `UpLayer` fuses both.

    Sums and activations overwrite what a convolution has just returned, here and in the networks made of
    this block. Fresh memory costs a CPU more than the sum. Callers use what `add_` returns, since an export
    does not see that a view has changed.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        widths: Sequence[int],
        *,
        dimensions: int = 2,
        skip_connections: bool = True,
        normalise: bool = False,
    ) -> None:
        super().__init__()
        self.skip_connections = skip_connections
        incoming = [in_channels, *widths[:-1]]
        self.down = nn.ModuleList(
            layer(source, width, dimensions, stride=1 if level == 0 else 2, normalise=normalise)
            for level, (source, width) in enumerate(zip(incoming, widths, strict=True))
        )
        self.bottom = layer(widths[-1], widths[-1], dimensions, normalise=normalise)
        self.up = nn.ModuleList(
            UpLayer(deep, shallow, dimensions, joins=skip_connections, normalise=normalise)
            for shallow, deep in zip(widths[-2::-1], widths[:0:-1], strict=True)
        )
        self.head = convolution(widths[0], out_channels, dimensions)

    def forward(self, features: Tensor) -> Tensor:
        """[batch, in_channels, (step,) height, width] -> [batch, out_channels, (step,) height, width].

        Both are of any float dtype and range; no activation follows the last convolution.
        """
        output: Tensor = self.head(self.decoded(features)[-1])
        return output

    def decoded(self, features: Tensor) -> list[Tensor]:
        """Features of each decoder level before the head, coarse to fine.

        Args:
            features: [batch, in_channels, (step,) height, width].

        Returns:
            For each level k but the coarsest, [batch, widths[k], (step,) height / 2^k, width / 2^k], odd
            sizes rounded up.
        """
        encoded = []
        for step in self.down:
            features = step(features)
            encoded.append(features)
        features = self.bottom(features)
        levels = []
        for step, skipped in zip(self.up, encoded[-2::-1], strict=True):
            features = step(features, skipped)
            levels.append(features)
        return levels
