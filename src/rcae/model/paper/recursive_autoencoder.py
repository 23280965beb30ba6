"""RcAE: one encoder and one decoder with shared weights, applied again and again."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from rcae.model.paper.blocks import ConvolutionalAutoencoder

SMALL_START = 0.1
"""Factor on the first weights of the blocks inside E and D: a chain starts as plain resampling."""


class RecursiveAutoencoder(nn.Module):
    """The recursive autoencoder of the paper.

    Compression     I_C^0 = I,      I_C^i = E(I_C^(i-1))   each E halves height and width
    Reconstruction  I_R^0 = I_C^n,  I_R^j = D(I_R^(j-1))   each D doubles them

    The reconstruction at depth n applies E n times, then D n times. All depths share E and D, so
    the parameter count does not depend on N.

    `carried_channels` channels pass from one application to the next (our choice). A 3x3 convolution lifts
    the (folded) image to them and another brings them back. Each resolution has an encoder and a decoder of
    its own without weight sharing, used by every chain that passes through it.
    """

    def __init__(
        self,
        image_channels: int,
        *,
        recursion_depth: int,
        carried_channels: int,
        widths: Sequence[int],
        skip_connections: bool = True,
        share_weights: bool = True,
    ) -> None:
        super().__init__()
        self.recursion_depth = recursion_depth
        copies = 1 if share_weights else recursion_depth
        self.lift = nn.Conv2d(image_channels, carried_channels, kernel_size=3, padding=1)
        self.encoders = nn.ModuleList(
            Application(carried_channels, widths, skip_connections, nn.Conv2d)
            for _ in range(copies)
        )
        self.decoders = nn.ModuleList(
            Application(carried_channels, widths, skip_connections, nn.ConvTranspose2d)
            for _ in range(copies)
        )
        self.to_image = nn.Conv2d(carried_channels, image_channels, kernel_size=3, padding=1)

    def compress(self, image: Tensor, depth: int) -> list[Tensor]:
        """The codes I_C^1 ... I_C^depth of an image.

        Args:
            image: I, [batch, channel, height, width]; height and width are multiples of 2^depth.
            depth: 1 ... recursion_depth.

        Returns:
            Entry i - 1 is I_C^i, [batch, carried_channels, height / 2^i, width / 2^i].
        """
        code = self.lift(image)  # I_C^0
        codes = []
        for level in range(depth):
            code = self.encoders[level % len(self.encoders)](code)  # I_C^i = E(I_C^(i-1))
            codes.append(code)
        return codes

    def forward(self, image: Tensor, depth: int) -> Tensor:
        """I_R^n for n = `depth`: a single chain, as trained in stage 1.

        Args:
            image: I, [batch, channel, height, width]; height and width are multiples of 2^depth.
            depth: n, 1 ... recursion_depth.

        Returns:
            [batch, channel, height, width]
        """
        chain = self.compress(image, depth)[-1]  # I_R^0 = I_C^n
        for level in reversed(range(depth)):
            chain = self.decoders[level % len(self.decoders)](chain)  # I_R^j = D(I_R^(j-1))
        reconstruction: Tensor = self.to_image(chain)
        return reconstruction

    def sequence(self, image: Tensor, depths: Sequence[int]) -> Tensor:
        """I_R^n for each n of `depths`, equal to separate chains, with as many calls as the deepest needs.

        All chains that have arrived at the same resolution are decoded together as one batch.

        Args:
            image: I, [batch, channel, height, width]; height and width are multiples of
                2^depths[-1].
            depths: rising, each 1 ... recursion_depth; what they do not need is not computed.

        Returns:
            [batch, len(depths), channel, height, width]
        """
        deepest = depths[-1]
        codes = self.compress(image, deepest)
        chains = codes[-1]  # [chain * batch, carried, height / 2^level, width / 2^level]
        for level in reversed(range(deepest)):
            chains = self.decoders[level % len(self.decoders)](chains)
            if level in depths:
                chains = torch.cat([codes[level - 1], chains])  # what starts here comes first
        reconstructions: Tensor = self.to_image(chains)
        return reconstructions.view(len(depths), *image.shape).transpose(0, 1)


class Application(nn.Module):
    """E or D: a block with skip connections, then the paper's resampling (kernel 2, stride 2).

    `resampling` is a strided convolution in E and a transposed one in D.
    """

    def __init__(
        self,
        channels: int,
        widths: Sequence[int],
        skip_connections: bool,
        resampling: type[nn.Conv2d] | type[nn.ConvTranspose2d],
    ) -> None:
        super().__init__()
        self.block = _block(channels, widths, skip_connections)
        self.resample = resampling(channels, channels, kernel_size=2, stride=2)
        _start_as_averaging(self.resample)

    def forward(self, features: Tensor) -> Tensor:
        """[batch, channel, height, width] -> half (E) or twice (D) the height and width."""
        refined = self.block(features)
        if self.block.skip_connections:  # the outermost one leads around the whole block
            refined = refined.add_(features)
        output: Tensor = self.resample(refined)
        return output


def _block(
    channels: int, widths: Sequence[int], skip_connections: bool
) -> ConvolutionalAutoencoder:
    block = ConvolutionalAutoencoder(channels, channels, widths, skip_connections=skip_connections)
    if skip_connections:
        block.head.weight.data.mul_(SMALL_START)
        nn.init.zeros_(block.head.bias)  # type: ignore[arg-type]
    return block


def _start_as_averaging(resample: nn.Conv2d | nn.ConvTranspose2d) -> None:
    """Each channel starts as the 2x2 average (E) or as its repetition (D), both of unit norm.

    D then undoes E as far as it can from the first step on, at every depth. A random
    start loses the signal after two applications, and deep reconstructions stay one flat colour.
    """
    channels = torch.eye(resample.in_channels)[:, :, None, None]
    resample.weight.data.copy_(0.5 * channels.expand_as(resample.weight))
    nn.init.zeros_(resample.bias)  # type: ignore[arg-type]
