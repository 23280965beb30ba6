"""Annotations of one image for YOLO segmentation: `<image>.txt`, a class and a polygon in each line."""

from rcae.base.arrays import Mask
from rcae.data.annotations.polygons import draw, pairs

_BOX_NUMBERS = 4


def looks_like_yolo(text: str) -> bool:
    """Tell whether each line has a class number and shares of the image, and any of them a polygon.

    Boxes alone are no masks.
    """
    try:
        lines = [
            [float(value) for value in line.split()] for line in text.splitlines() if line.strip()
        ]
    except ValueError:
        return False
    are_shares = all(-1 <= value <= 2 for line in lines for value in line[1:])
    return are_shares and any(len(line) > _BOX_NUMBERS + 1 for line in lines)


def read_yolo(text: str, size_px: tuple[int, int]) -> Mask:
    """Draw all polygons: bool [height, width].

    Args:
        text: corners as shares of width and height.
        size_px: height and width of the image.

    Raises:
        ValueError: a line holds a box, or no polygon.
    """
    height, width = size_px
    polygons = []
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip():
            continue
        values = [float(value) for value in line.split()[1:]]
        if len(values) == _BOX_NUMBERS:
            raise ValueError(f"line {number} is a box; a mask needs polygons (YOLO segmentation)")
        polygons.append([(x * width, y * height) for x, y in pairs(values)])
    return draw(polygons, size_px)
