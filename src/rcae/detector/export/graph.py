"""The whole of a prediction as one graph: camera image in, anomaly map, score and decision out."""

import copy

import torch
from torch import Tensor, nn

from rcae.data.view.part_pose import cut_to_part, find_part, put_back
from rcae.data.view.working_view import MOST_GAIN
from rcae.detector.run.checkpoint import Model
from rcae.model.paper.blocks import ConvolutionalAutoencoder
from rcae.model.paper.up_layer import UpLayer, doubled_and_joined


class PredictionGraph(nn.Module):
    """What `Detector.predict` does, in operators that every runtime has.

    Pre-processing: 0..255 to 0..1, to working size and exposure. Post-processing: back to the image's size,
    the largest value as score, the comparison with the threshold.

    Sizes are tensors wherever they are computed with, so that a trace keeps them free.
    """

    def __init__(self, model: Model) -> None:
        super().__init__()
        self.system = copy.deepcopy(model.system)
        self.system.is_tiled = False
        self.working_view = model.header.working_view
        if self.system.detection is not None:
            self.system.detection.normalise = _Scaling(self.system.detection.normalise)
        for block in list(self.system.modules()):
            if isinstance(block, ConvolutionalAutoencoder):
                block.up = nn.ModuleList(map(_ConstantUp, block.up))

    def forward(self, images: Tensor, threshold: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Inspect a batch.

        Args:
            images: uint8 RGB [batch, height, width, 3], as decoders give them.
            threshold: float32, no axes; scores at or above it are defective.

        Returns:
            anomaly_map float32 [batch, height, width], anomaly_score float32 [batch], is_defective
            bool [batch].
        """
        height, width = (torch.as_tensor(length) for length in images.shape[1:3])
        pixels = images.permute(0, 3, 1, 2).float() / 255
        if self.working_view.keeps_size:
            anomaly_map = self._drawn(self._exposed(pixels))
        else:
            working = self._exposed(resized(pixels, self._working(height), self._working(width)))
            anomaly_map = resized(self._drawn(working), height, width)
        anomaly_score = anomaly_map.amax(dim=(1, 2))
        return anomaly_map, anomaly_score, anomaly_score >= threshold

    def _drawn(self, working: Tensor) -> Tensor:
        """The anomaly map of whole images at working size and exposure, as `Seen.on_whole` gives it."""
        frame = self.working_view.frame
        if frame is None:
            drawn: Tensor = self.system(working)
            return drawn
        pose = find_part(frame, working)
        drawn = self.system(cut_to_part(frame, working, pose))[:, None]
        least = drawn.amin(dim=(1, 2, 3), keepdim=True).expand_as(working[:, :1])
        return put_back(frame, drawn, pose, least)[:, 0]

    def _working(self, length: Tensor) -> Tensor:
        """As `WorkingView.size_of`, for one side."""
        if self.working_view.squashed_px is not None:
            return torch.tensor(self.working_view.squashed_px)
        return (length.double() * self.working_view.scale + 0.5).long().clamp(min=1)

    def _exposed(self, images: Tensor) -> Tensor:
        """As the end of `WorkingView.of`."""
        brightness = self.working_view.brightness
        if brightness is None:
            return images
        gain = brightness / _means(images).clamp(min=brightness / MOST_GAIN)
        return (images * gain).clamp(max=1)


def _means(images: Tensor) -> Tensor:
    """The mean of each image [batch, channel, height, width], as [batch, 1, 1, 1].

    Of what is left of a first mean once more: runtimes add all values up in one float32, whose rounding
    grows to a ten-thousandth of the mean within a few hundred thousand of them.
    """
    first = images.mean(dim=(1, 2, 3), keepdim=True)
    return first + (images - first).mean(dim=(1, 2, 3), keepdim=True)


def resized(planes: Tensor, height: Tensor, width: Tensor) -> Tensor:
    """As `rcae.data.images.resize`, on the last two axes.

    Two matrix products: the antialiased resampling of ONNX is another one in every runtime.
    """
    old_height, old_width = (torch.as_tensor(length) for length in planes.shape[-2:])
    return _weights(old_height, height) @ planes @ _weights(old_width, width).T


def _weights(length: Tensor, new_length: Tensor) -> Tensor:
    """[new_length, length]: a triangle as wide as two pixels of the coarser side (Pillow's bilinear)."""
    ratio = length / new_length
    centres = (_count_to(new_length)[:, None] + 0.5) * ratio
    distances = (_count_to(length) + 0.5 - centres).abs()
    weights = (1 - distances / ratio.clamp(min=1)).clamp(min=0)
    return weights / weights.sum(dim=1, keepdim=True)


def _count_to(length: Tensor) -> Tensor:
    numbers: Tensor = torch.arange(length)  # type: ignore[call-overload]
    return numbers


class _Scaling(nn.Module):
    """Batch normalisation of a finished model that has no weights of its own, which ONNX asks for."""

    mean: Tensor
    scale: Tensor

    def __init__(self, normalise: nn.Module) -> None:
        super().__init__()
        assert isinstance(normalise, nn.BatchNorm2d | nn.BatchNorm3d)
        assert normalise.running_mean is not None
        assert normalise.running_var is not None
        axes = [-1, *[1] * (2 if isinstance(normalise, nn.BatchNorm2d) else 3)]
        self.register_buffer("mean", normalise.running_mean.view(axes))
        self.register_buffer("scale", (normalise.running_var + normalise.eps).rsqrt().view(axes))

    def forward(self, values: Tensor) -> Tensor:
        """Values of any shape whose second axis is the channel, standardised."""
        return (values - self.mean) * self.scale


class _ConstantUp(nn.Module):
    """An `UpLayer` of a finished model, whose weights are not computed again for every image."""

    of_deep: Tensor
    of_shallow: Tensor | None
    bias: Tensor | None

    def __init__(self, up: nn.Module) -> None:
        super().__init__()
        assert isinstance(up, UpLayer)
        for name, weight in zip(("of_deep", "of_shallow", "bias"), up.weights(), strict=True):
            self.register_buffer(name, None if weight is None else weight.detach())
        self.finish = up.finish

    def forward(self, deep: Tensor, shallow: Tensor) -> Tensor:
        """As `UpLayer.forward`."""
        convolved = doubled_and_joined(deep, shallow, self.of_deep, self.of_shallow, self.bias)
        activated: Tensor = self.finish(convolved)
        return activated
