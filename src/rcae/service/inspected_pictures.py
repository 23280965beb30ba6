"""Pictures of an inspection, made from what was kept of it."""

import io
from typing import TypeVar

import numpy as np
from fastapi import HTTPException
from numpy.typing import NDArray
from PIL import Image

from rcae.base.arrays import Array
from rcae.data.image_files import ImageContent, decode
from rcae.data.images import as_image, read_image, resize
from rcae.drawing.pictures import HeatScale, heat_layer, overlay, png_bytes, to_image
from rcae.line.record.inspection import Inspection
from rcae.service.service import Service

_TYPES = {b"\x89PNG": "image/png", b"\xff\xd8": "image/jpeg", b"BM": "image/bmp"}
_OTHER_TYPE = "image/tiff"
"""The last of the formats that are read at all."""

Kept = TypeVar("Kept")
Content = tuple[bytes, str]
"""With its media type."""


def image(service: Service, inspection: Inspection) -> Content:
    """The file as it came."""
    content = _kept(service.kept_images.image(inspection.id))
    types = (kind for start, kind in _TYPES.items() if content.startswith(start))
    return content, next(types, _OTHER_TYPE)


def anomaly_map(service: Service, inspection: Inspection) -> Content:
    """The anomaly map, float32 [height, width] at the image's size, as .npy."""
    buffer = io.BytesIO()
    np.save(buffer, _anomaly_map(service, inspection), allow_pickle=False)
    return buffer.getvalue(), "application/octet-stream"


def heatmap(service: Service, inspection: Inspection) -> Content:
    """Heat to lay over the image, PNG with transparency, at the size the model worked at."""
    working_map = _kept(service.kept_images.working_map(inspection.id))
    return png_bytes(heat_layer(working_map, _scale(service, inspection))), "image/png"


def overlaid(service: Service, inspection: Inspection) -> Content:
    """The image under its heat, regions outlined, as PNG."""
    drawn = _anomaly_map(service, inspection)
    pixels = read_image(_content(service, inspection))
    return png_bytes(overlay(pixels, drawn, _scale(service, inspection))), "image/png"


def picture(service: Service, inspection: Inspection, longest_px: int | None) -> Content:
    """The image as the model saw it, as PNG; no side longer than `longest_px`, if given."""
    seen = _eight_bit(decode(_content(service, inspection)))
    if longest_px is not None:
        seen.thumbnail((longest_px, longest_px), Image.Resampling.LANCZOS)
    return png_bytes(seen.convert("RGB")), "image/png"


KINDS = {
    "image": (image, "image/*"),
    "map": (anomaly_map, "application/octet-stream"),
    "heatmap": (heatmap, "image/png"),
    "overlay": (overlaid, "image/png"),
}
"""What makes each kind of picture, and its media type."""


def _content(service: Service, inspection: Inspection) -> ImageContent:
    return ImageContent(inspection.source, _kept(service.kept_images.image(inspection.id)))


def _eight_bit(pixels: NDArray[np.generic]) -> Image.Image:
    """`to_image(as_image(pixels))`, grey or RGB; bytes are not made floats, which need four times as much."""
    if pixels.dtype != np.uint8:
        return to_image(as_image(pixels))
    seen = Image.fromarray(pixels)
    if seen.mode != "RGBA":
        return seen
    black = Image.new("RGB", seen.size)
    black.paste(seen, mask=seen)
    return black


def _anomaly_map(service: Service, inspection: Inspection) -> Array:
    working_map = _kept(service.kept_images.working_map(inspection.id))
    return resize(working_map, inspection.height_px, inspection.width_px)


def _scale(service: Service, inspection: Inspection) -> HeatScale:
    """By the threshold that decided, of the model that inspected."""
    for model in service.models.values():
        if model.inspector.model_sha256 == inspection.model_sha256:
            return model.heat_scale(inspection.threshold)
    raise HTTPException(
        410, "The model that inspected this is not served any more, so its colours are not known."
    )


def _kept(kept: Kept | None) -> Kept:
    if kept is None:
        raise HTTPException(410, "The picture is not kept any more; the inspection is.")
    return kept
