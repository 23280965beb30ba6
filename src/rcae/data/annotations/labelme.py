"""Annotations of one image by LabelMe: `<image>.json` with "shapes"."""

import math
from collections.abc import Mapping
from typing import Any

from rcae.base.arrays import Mask
from rcae.data.annotations.polygons import Polygon, draw

_CIRCLE_CORNERS = 64


def read_labelme(content: Mapping[str, Any], size_px: tuple[int, int]) -> Mask:
    """Draw all shapes: bool [height, width], of the size that the annotation gives, else of `size_px`.

    Raises:
        ValueError, KeyError, TypeError: the content is not LabelMe's, or a shape has no area.
    """
    height, width = content.get("imageHeight"), content.get("imageWidth")
    if isinstance(height, int) and isinstance(width, int):
        size_px = height, width
    return draw([_polygon(shape) for shape in content["shapes"]], size_px)


def _polygon(shape: Mapping[str, Any]) -> Polygon:
    kind = shape.get("shape_type") or "polygon"
    points = [(float(x), float(y)) for x, y in shape["points"]]
    if kind == "polygon" and len(points) >= 3:
        return points
    if kind == "rectangle" and len(points) == 2:
        (left, top), (right, bottom) = points
        return [(left, top), (right, top), (right, bottom), (left, bottom)]
    if kind == "circle" and len(points) == 2:
        return _circle(*points)
    raise ValueError(f"a {kind} with {len(points)} points; draw polygons, rectangles or circles")


def _circle(centre: tuple[float, float], rim: tuple[float, float]) -> Polygon:
    radius = math.dist(centre, rim)
    angles = [2 * math.pi * corner / _CIRCLE_CORNERS for corner in range(_CIRCLE_CORNERS)]
    return [
        (centre[0] + radius * math.cos(angle), centre[1] + radius * math.sin(angle))
        for angle in angles
    ]
