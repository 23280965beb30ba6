"""Pictures of an inspection, made from its kept files."""

import io
from typing import TypeVar

import numpy as np
from fastapi import HTTPException
from PIL import Image

from rcae.base.arrays import Array
from rcae.data.image_files import ImageContent, decode
from rcae.data.images import read_image, resize, scaled
from rcae.data.pixels import Pixels
from rcae.data.usual_image import UsualImage
from rcae.drawing.pictures import HeatScale, heat_layer, overlay, png_bytes, to_image
from rcae.line.record.inspection import Inspection
from rcae.service.served_model import ServedModel
from rcae.service.service import Service

_TYPES = {b"\x89PNG": "image/png", b"\xff\xd8": "image/jpeg", b"BM": "image/bmp"}
_OTHER_TYPE = "image/tiff"
"""Media type of the last supported format."""

Kept = TypeVar("Kept")
Content = tuple[bytes, str]
"""Content with its media type."""


def image(service: Service, inspection: Inspection) -> Content:
    """Return the image file as it arrived."""
    content = _kept(service.kept_images.image(inspection.id))
    types = (kind for start, kind in _TYPES.items() if content.startswith(start))
    return content, next(types, _OTHER_TYPE)


def anomaly_map(service: Service, inspection: Inspection) -> Content:
    """Return the anomaly map, float32 [height, width] at the image's size, as .npy."""
    buffer = io.BytesIO()
    np.save(buffer, _anomaly_map(service, inspection), allow_pickle=False)
    return buffer.getvalue(), "application/octet-stream"


def heatmap(service: Service, inspection: Inspection) -> Content:
    """Draw a transparent heat layer for the image, as PNG at the model's working size."""
    working_map = _kept(service.kept_images.working_map(inspection.id))
    return png_bytes(heat_layer(working_map, _scale(service, inspection))), "image/png"


def overlaid(service: Service, inspection: Inspection) -> Content:
    """Draw the heat over the image, with outlined regions, as PNG."""
    drawn = _anomaly_map(service, inspection)
    pixels = read_image(_content(service, inspection), _usual(service, inspection))
    return png_bytes(overlay(pixels, drawn, _scale(service, inspection))), "image/png"


def picture(service: Service, inspection: Inspection, longest_px: int | None) -> Content:
    """Return the image as the model saw it, as PNG; no side is longer than `longest_px`, if given."""
    seen = _eight_bit(decode(_content(service, inspection)), _usual(service, inspection))
    if longest_px is not None:
        seen.thumbnail((longest_px, longest_px), Image.Resampling.LANCZOS)
    return png_bytes(seen.convert("RGB")), "image/png"


KINDS = {
    "image": (image, "image/*"),
    "map": (anomaly_map, "application/octet-stream"),
    "heatmap": (heatmap, "image/png"),
    "overlay": (overlaid, "image/png"),
}
"""Function and media type for each kind of picture."""


def _content(service: Service, inspection: Inspection) -> ImageContent:
    return ImageContent(inspection.source, _kept(service.kept_images.image(inspection.id)))


def _eight_bit(pixels: Pixels, usual: UsualImage | None) -> Image.Image:
    """Convert to the picture that `read_image` reads, grey or RGB.

    Bytes stay bytes, because floats need four times the memory.
    """
    if pixels.values.dtype != np.uint8 or pixels.white_is_zero:
        return to_image(scaled(pixels, "the image", usual)[0])
    seen = Image.fromarray(pixels.values)
    if seen.mode != "RGBA":
        return seen
    black = Image.new("RGB", seen.size)
    black.paste(seen, mask=seen)
    return black


def _anomaly_map(service: Service, inspection: Inspection) -> Array:
    working_map = _kept(service.kept_images.working_map(inspection.id))
    return resize(working_map, inspection.height_px, inspection.width_px)


def _scale(service: Service, inspection: Inspection) -> HeatScale:
    """Return the heat scale of the model that inspected, with the threshold that decided."""
    model = _model(service, inspection)
    if model is None:
        raise HTTPException(
            410,
            "The model that inspected this is not served any more, so its colours are not known.",
        )
    return model.heat_scale(inspection.threshold)


def _usual(service: Service, inspection: Inspection) -> UsualImage | None:
    """Return what is usual for the model that inspected; None if it is not served any more."""
    model = _model(service, inspection)
    return None if model is None else model.inspector.detector.usual


def _model(service: Service, inspection: Inspection) -> ServedModel | None:
    models = service.models.values()
    return next((m for m in models if m.inspector.model_sha256 == inspection.model_sha256), None)


def _kept(kept: Kept | None) -> Kept:
    if kept is None:
        raise HTTPException(410, "The picture is not kept any more; the inspection is.")
    return kept
