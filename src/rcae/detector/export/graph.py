"""The whole prediction as one graph: camera image in, anomaly map, score and decision out."""

import copy

import torch
from torch import Tensor, nn

from rcae.data.view.part_pose import cut_to_part, find_part, put_back
from rcae.data.view.working_view import MOST_GAIN
from rcae.detector.run.checkpoint import Model
from rcae.model.paper.blocks import ConvolutionalAutoencoder
from rcae.model.paper.up_layer import UpLayer, doubled_and_joined


class PredictionGraph(nn.Module):
    """Computation of `Detector.predict`, in operators that every runtime has.

    Pre-processing scales 0..255 to 0..1, and brings the image to working size and exposure.
    Post-processing resizes the map to the image's size, takes the largest value as score, and compares
    it with the threshold.

    Computations with sizes use tensors, so that a trace keeps the sizes free.
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
            images: uint8 RGB [batch, height, width, 3], the output of image decoders.
            threshold: float32 scalar; scores at or above it are defective.

        Returns:
            anomaly_map float32 [batch, height, width], anomaly_score float32 [batch], is_defective
            bool [batch].
        """
        anomaly_map = self.anomaly_map(images.permute(0, 3, 1, 2).float() / 255)
        anomaly_score = anomaly_map.amax(dim=(1, 2))
        return anomaly_map, anomaly_score, anomaly_score >= threshold

    def anomaly_map(self, pixels: Tensor) -> Tensor:
        """Return the maps of images at their own size, [batch, height, width].

        Args:
            pixels: [batch, 3, height, width], float32, RGB in 0..1.
        """
        height, width = (torch.as_tensor(length) for length in pixels.shape[2:])
        if self.working_view.keeps_size:
            return self._drawn(self._exposed(pixels))
        working = self._exposed(resized(pixels, self._working(height), self._working(width)))
        return resized(self._drawn(working), height, width)

    def _drawn(self, working: Tensor) -> Tensor:
        """Draw the anomaly map of whole images at working size and exposure, like `Seen.on_whole`."""
        frame = self.working_view.frame
        if frame is None:
            drawn: Tensor = self.system(working)
            return drawn
        pose = find_part(frame, working)
        drawn = self.system(cut_to_part(frame, working, pose))[:, None]
        least = drawn.amin(dim=(1, 2, 3), keepdim=True).expand_as(working[:, :1])
        return put_back(frame, drawn, pose, least)[:, 0]

    def _working(self, length: Tensor) -> Tensor:
        """Return the working length of one side, like `WorkingView.size_of`."""
        if self.working_view.squashed_px is not None:
            return torch.tensor(self.working_view.squashed_px)
        return (length.double() * self.working_view.scale + 0.5).long().clamp(min=1)

    def _exposed(self, images: Tensor) -> Tensor:
        """Bring images to the model's brightness, like the last step of `WorkingView.of`."""
        brightness = self.working_view.brightness
        if brightness is None:
            return images
        gain = brightness / _means(images).clamp(min=brightness / MOST_GAIN)
        return (images * gain).clamp(max=1)


def _means(images: Tensor) -> Tensor:
    """Return the mean of each image [batch, channel, height, width], as [batch, 1, 1, 1].

    Runtimes add all values up in one float32. Its rounding error grows to a ten-thousandth of the mean
    within a few hundred thousand values. The mean of the differences from a first mean corrects it.
    """
    first = images.mean(dim=(1, 2, 3), keepdim=True)
    return first + (images - first).mean(dim=(1, 2, 3), keepdim=True)


def resized(planes: Tensor, height: Tensor, width: Tensor) -> Tensor:
    """Resize the last two axes, like `rcae.data.images.resize`.

    Two matrix products do this, because the antialiased resampling of ONNX differs between runtimes.
    """
    old_height, old_width = (torch.as_tensor(length) for length in planes.shape[-2:])
    return _weights(old_height, height) @ planes @ _weights(old_width, width).T


def _weights(length: Tensor, new_length: Tensor) -> Tensor:
    """Return the weights [new_length, length] that resize one axis: Pillow's bilinear filter.

    The filter is a triangle with a width of two pixels of the coarser side.
    """
    ratio = length / new_length
    centres = (_count_to(new_length)[:, None] + 0.5) * ratio
    distances = (_count_to(length) + 0.5 - centres).abs()
    weights = (1 - distances / ratio.clamp(min=1)).clamp(min=0)
    return weights / weights.sum(dim=1, keepdim=True)


def _count_to(length: Tensor) -> Tensor:
    numbers: Tensor = torch.arange(length)  # type: ignore[call-overload]
    return numbers


class _Scaling(nn.Module):
    """Batch normalisation of a finished model, without affine weights, which the ONNX operator needs."""

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
        """Standardise values of any shape; the second axis is the channel."""
        return (values - self.mean) * self.scale


class _ConstantUp(nn.Module):
    """An `UpLayer` of a finished model; its weights are computed once instead of for every image."""

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
        """Compute the result of `UpLayer.forward`."""
        convolved = doubled_and_joined(deep, shallow, self.of_deep, self.of_shallow, self.bias)
        activated: Tensor = self.finish(convolved)
        return activated
