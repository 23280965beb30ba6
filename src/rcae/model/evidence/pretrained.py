"""The early layers of EfficientNet-Lite0 with ImageNet weights: features that no training here makes."""

from importlib import resources

import torch
from safetensors.torch import load
from torch import Tensor, nn
from torch.nn import functional

WEIGHTS = "efficientnet_lite0.safetensors"
"""This package data holds the weights, made by `scripts/convert_efficientnet_lite0.py`."""

STEM_CHANNELS = 32
BLOCKS = (
    # expansion, channels, kernel side, stride
    (1, 16, 3, 1),
    (6, 24, 3, 2),
    (6, 24, 3, 1),
    (6, 40, 5, 2),
    (6, 40, 5, 1),
    (6, 80, 3, 2),
    (6, 80, 3, 1),
    (6, 80, 3, 1),
    (6, 112, 5, 1),
    (6, 112, 5, 1),
    (6, 112, 5, 1),
)
"""The first 11 of the 16 inverted residual blocks; the others see at 1/32 of the resolution."""

FINE_BLOCK = 4
"""The output of this block is the last at 1/8 of the resolution."""
FINE_CHANNELS, COARSE_CHANNELS = BLOCKS[FINE_BLOCK][1], BLOCKS[-1][1]
FINE_STRIDE, COARSE_STRIDE = 8, 16
"""Pixels per side of a position."""

MEAN, DEVIATION = 127 / 255, 128 / 255
"""Every channel of an image is centred and scaled by these, as the weights were trained."""


class PretrainedFeatures(nn.Module):
    """EfficientNet-Lite0 (Tan and Le, 2019) up to 1/16 of the resolution.

    Batch norms are folded into the convolutions. Activations are ReLU6. The weights are frozen, and zero
    until loaded; `load_pretrained` gives the module with those of ImageNet.

    Padding is TensorFlow's "SAME" for even sides: zeros stand around the normalised image and every
    map. A stride of 2 gets one zero more below and on the right than above and on the left. The image is
    first extended by its lower and right edges to multiples of `COARSE_STRIDE`, which keeps sides even.
    """

    def __init__(self) -> None:
        super().__init__()
        self.stem = _convolution(3, STEM_CHANNELS, 3, stride=2)
        inputs = (STEM_CHANNELS, *(channels for _, channels, _, _ in BLOCKS))
        self.blocks = nn.ModuleList(
            InvertedResidual(inputs[index], *block) for index, block in enumerate(BLOCKS)
        )
        self.requires_grad_(False).eval()
        for parameter in self.parameters():
            nn.init.zeros_(parameter)
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """The features of images of any size, at two resolutions.

        Args:
            image: [batch, 3, height, width], RGB in 0..1, floating point of the module's dtype.

        Returns:
            Fine features, [batch, 40, ceil(height / 8), ceil(width / 8)], and coarse features,
            [batch, 112, ceil(height / 16), ceil(width / 16)]. Both have the dtype of `image` and
            no bounds.
        """
        # Rounded up without negative numbers, which an exported graph divides another way.
        rows, columns = ((length - 1) // FINE_STRIDE + 1 for length in image.shape[2:])
        features = functional.relu6(_convolve(self.stem, _normalised(_extended(image))))
        for block in self.blocks[: FINE_BLOCK + 1]:
            features = block(features)
        fine = features[:, :, :rows, :columns]
        for block in self.blocks[FINE_BLOCK + 1 :]:
            features = block(features)
        return fine, features


class InvertedResidual(nn.Module):
    """One block: channels are expanded, each is convolved by itself, then they are projected.

    The input is added to the output where both have the same shape. The first block of the network
    expands nothing and has no `expand`. Lite0 has no squeeze-and-excitation.
    """

    def __init__(
        self, input_channels: int, expansion: int, channels: int, side: int, stride: int
    ) -> None:
        super().__init__()
        width = expansion * input_channels
        self.expand = _convolution(input_channels, width, 1) if expansion != 1 else None
        self.depthwise = _convolution(width, width, side, stride=stride, groups=width)
        self.project = _convolution(width, channels, 1)
        self.adds = stride == 1 and input_channels == channels

    def forward(self, features: Tensor) -> Tensor:
        """[batch, input channel, height, width] -> [batch, channel, height / stride, width / stride].

        Height and width are multiples of the stride.
        """
        wide = features if self.expand is None else functional.relu6(self.expand(features))
        wide = functional.relu6(_convolve(self.depthwise, wide))
        output: Tensor = self.project(wide)
        return output + features if self.adds else output


def load_pretrained() -> PretrainedFeatures:
    """The module with the weights that come with this package, float32 on the CPU.

    The file keeps these weights in half precision; they are enlarged when loaded.
    """
    content = resources.files("rcae.model.evidence").joinpath(WEIGHTS).read_bytes()
    features = PretrainedFeatures()
    features.load_state_dict(load(content))  # copied into float32
    return features


def _convolution(
    inputs: int, outputs: int, side: int, *, stride: int = 1, groups: int = 1
) -> nn.Conv2d:
    """A convolution with bias; with stride 2 the padding is left to `_convolve`."""
    padding = side // 2 if stride == 1 else 0
    return nn.Conv2d(inputs, outputs, side, stride=stride, padding=padding, groups=groups)


def _convolve(convolution: nn.Conv2d, features: Tensor) -> Tensor:
    """The convolution with "SAME" padding of even heights and widths."""
    if convolution.stride[0] == 2:
        before = (convolution.kernel_size[0] - 2) // 2
        after = convolution.kernel_size[0] - 2 - before
        features = functional.pad(features, (before, after, before, after))
    output: Tensor = convolution(features)
    return output


def _extended(image: Tensor) -> Tensor:
    """The image, its lower and right edges repeated up to multiples of `COARSE_STRIDE`."""
    bottom, right = (-length % COARSE_STRIDE for length in image.shape[2:])
    extended = functional.pad(image, (0, right, 0, bottom), mode="replicate")
    return extended.contiguous(memory_format=torch.channels_last)


def _normalised(image: Tensor) -> Tensor:
    return (image - MEAN) / DEVIATION
