"""Images as a Python program has them: paths, file contents, arrays, PIL images and torch tensors."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from rcae.base.errors import ImageError
from rcae.data.image_files import ImageContent
from rcae.data.remote import Location, source_of

if TYPE_CHECKING:
    import torch

GivenImage: TypeAlias = (
    "Location | bytes | ImageContent | NDArray[np.generic] | Image.Image | torch.Tensor"
)
"""One image: a path, a URL, the bytes of a file, an array, a PIL image, or a tensor.

An array is [height, width], [height, width, 3] or [height, width, 4] (grey, RGB, RGBA). A tensor is
[height, width] or [channel, height, width]. Values are uint8, uint16, or floats in 0..1.
"""

_DEEP_MODES = ("I", "I;16", "I;16B", "I;16L")


def readable(image: GivenImage) -> Path | ImageContent | NDArray[np.generic]:
    """Return what the package reads: a path, the content of a file, or an array as `as_pixels` takes it.

    Raises:
        ImageError: the image is of no such kind, or a tensor has another shape.
        MissingExtraError, StorageError: the errors of `source_of`.
    """
    if isinstance(image, str | Path):
        return source_of(image)
    if isinstance(image, bytes):
        return ImageContent("the image", image)
    if isinstance(image, ImageContent | np.ndarray):
        return image
    if isinstance(image, Image.Image):
        return _of_pil(image)
    torch: Any = sys.modules.get("torch")  # without torch, nothing is a tensor
    if torch is not None and isinstance(image, torch.Tensor):
        return _of_tensor(image)
    raise ImageError(  # OpenCV, for one, returns None for a file that it cannot read
        f"the image is a {type(image).__name__}; give a path, the bytes of a file, a NumPy array, a PIL "
        "image or a torch tensor."
    )


def _of_pil(image: Image.Image) -> NDArray[np.generic]:
    """Return the pixels of a PIL image, upright by its EXIF data, as its file would give them."""
    upright = ImageOps.exif_transpose(image)
    if upright.mode in _DEEP_MODES:
        values = np.asarray(upright)
        is_deep = values.min() >= 0 and values.max() <= np.iinfo(np.uint16).max
        return values.astype(np.uint16) if is_deep else values
    if upright.mode == "F":
        return np.asarray(upright)
    if upright.has_transparency_data and image.format != "BMP":
        return np.asarray(upright.convert("RGBA"))
    return np.asarray(upright.convert("L" if upright.mode in ("1", "L") else "RGB"))


def _of_tensor(tensor: "torch.Tensor") -> NDArray[np.generic]:
    """Return a tensor [height, width] or [channel, height, width] as an array with channels last."""
    if tensor.ndim not in (2, 3) or (tensor.ndim == 3 and tensor.shape[0] not in (1, 3, 4)):
        raise ImageError(
            f"the image is a tensor of shape {list(tensor.shape)}; give [height, width] or [channel, height, "
            "width] with 1, 3 or 4 channels: one image of a batch by batch[0], channels first by "
            "tensor.permute(2, 0, 1)."
        )
    values = tensor.detach().cpu()
    values = values.float() if values.is_floating_point() else values
    if values.ndim == 3:
        values = values[0] if len(values) == 1 else values.permute(1, 2, 0)
    array: NDArray[np.generic] = values.numpy()
    return array
