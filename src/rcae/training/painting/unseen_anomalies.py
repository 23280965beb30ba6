"""Anomalies of kinds that training never paints: they judge the evidence, and never teach it.

Every kind gets an image [height, width, 3], 0..1, a unit in px and a random generator. It returns the changed
image, not clipped, and the mask of the anomaly, [height, width].
"""

from collections.abc import Callable

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from scipy import ndimage, special

from rcae.base.arrays import Array, Mask
from rcae.training.painting.placing import draw_centre_px, structure_of

Changed = NDArray[np.floating]
Kind = Callable[[Array, float, Generator], tuple[Changed, Mask]]
SMALLEST_SIDE_PX = 256
"""The largest unit of an image is what one pixel is in an image of this side."""
NOTICEABLE = 0.02
"""Change in 0..1 beyond which a pixel belongs to the anomaly."""


def paint_unseen(image: Array, random: Generator) -> Array:
    """Return a copy of a good image at working size with an anomaly of one of `UNSEEN_KINDS`.

    Args:
        image: [height, width, 3], float32, 0..1.
        random: draws everything; the same state gives the same picture.
    """
    kinds = list(UNSEEN_KINDS)
    changed, _ = paint_kind(kinds[int(random.integers(len(kinds)))], image, random)
    return changed


def paint_kind(kind: str, image: Array, random: Generator) -> tuple[Array, Mask]:
    """Return a copy of an image with an anomaly of this kind, and the mask of its middle.

    Fading rims are no part of the mask.
    Sizes lie between what the camera can just see and what an image of 256 px can just show.
    """
    largest_unit_px = max(1.0, (image.shape[0] * image.shape[1]) ** 0.5 / SMALLEST_SIDE_PX)
    unit_px = float(largest_unit_px ** random.uniform())
    changed, mask = UNSEEN_KINDS[kind](image, unit_px, random)
    clipped = np.clip(changed, 0, 1).astype(np.float32)
    seen: Mask = np.abs(clipped - image).max(axis=2) > NOTICEABLE
    return clipped, mask & seen


def pit(image: Array, unit_px: float, random: Generator) -> tuple[Changed, Mask]:
    """Draw a smooth dark spot with a bright rim."""
    row, column = draw_centre_px(structure_of(image), random)
    radius_px = unit_px * random.uniform(2, 8)
    rows, columns = np.mgrid[: image.shape[0], : image.shape[1]]
    distance = ((rows - row) ** 2 + (columns - column) ** 2) / radius_px**2
    profile = np.exp(-distance) - 0.5 * np.exp(-distance / 2)
    depth = 2 * float(image.mean()) * random.uniform(0.3, 1.0)
    return image - depth * profile[..., None], distance < 1


def crack(image: Array, unit_px: float, random: Generator) -> tuple[Changed, Mask]:
    """Draw a hairline that wanders pixel by pixel."""
    row, column = map(float, draw_centre_px(structure_of(image), random))
    drawn: NDArray[np.float64] = np.zeros(image.shape[:2])
    angle = random.uniform(0, 2 * np.pi)
    for _ in range(int(unit_px * random.uniform(12, 60))):
        angle += random.normal(0, 0.35 / unit_px**0.5)
        row, column = row + np.sin(angle), column + np.cos(angle)
        if 0 <= row < drawn.shape[0] and 0 <= column < drawn.shape[1]:
            drawn[int(row), int(column)] = random.uniform(0.5, 1)
    return _hairline(image, drawn, unit_px, random)


def fracture(image: Array, unit_px: float, random: Generator) -> tuple[Changed, Mask]:
    """Draw a crack through much of the image, straight at large and jagged at every smaller scale."""
    length_px, angle = min(image.shape[:2]) * random.uniform(0.35, 1.1), random.uniform(0, np.pi)
    half = length_px / 2 * np.array([np.sin(angle), np.cos(angle)])
    centre = np.array(draw_centre_px(structure_of(image), random), dtype=np.float64)
    path = centre + np.stack([-half, half])
    jag_px = 0.05 * length_px
    for _ in range(6):
        middles = (path[1:] + path[:-1]) / 2
        path = np.insert(
            path, range(1, len(path)), middles + random.normal(0, jag_px, middles.shape), 0
        )
        jag_px /= 2
    along = np.linspace(0, len(path) - 1, int(4 * length_px) + 2)
    pixels = np.stack([np.interp(along, range(len(path)), side) for side in path.T]).astype(int)
    inside = ((pixels >= 0) & (pixels < np.array(image.shape[:2])[:, None])).all(axis=0)
    drawn = np.zeros(image.shape[:2])
    drawn[tuple(pixels[:, inside])] = 1
    return _hairline(image, drawn, unit_px, random)


def foreign(image: Array, unit_px: float, random: Generator) -> tuple[Changed, Mask]:
    """Draw a spot of a texture that the part never has."""
    opacity = _spot(image, unit_px * random.uniform(6, 36), random)
    noise = sum(
        ndimage.gaussian_filter(random.normal(size=image.shape[:2]), unit_px * sigma) * sigma
        for sigma in (random.uniform(0.6, 2), random.uniform(2, 4.5))
    )
    strength = 2 * image.mean() * random.uniform(0.2, 0.5) * unit_px
    textured = 0.3 * image.mean() + 0.7 * image + strength * np.asarray(noise)[..., None]
    return image + opacity[..., None] * (textured - image), opacity > 0.3


def blur(image: Array, unit_px: float, random: Generator) -> tuple[Changed, Mask]:
    """Draw a spot out of focus or worn smooth."""
    opacity = _spot(image, unit_px * random.uniform(10, 45), random)
    smooth = ndimage.gaussian_filter(image, (*[unit_px * random.uniform(2, 4)] * 2, 0))
    return image + opacity[..., None] * (smooth - image), opacity > 0.3


UNSEEN_KINDS: dict[str, Kind] = {
    "pit": pit,
    "crack": crack,
    "fracture": fracture,
    "foreign": foreign,
    "blur": blur,
}


def _hairline(
    image: Array, drawn: NDArray[np.float64], unit_px: float, random: Generator
) -> tuple[Changed, Mask]:
    """Darken, or sometimes brighten, the image along what is drawn."""
    drawn = ndimage.gaussian_filter(drawn, unit_px * random.uniform(0.5, 1.1))
    drawn /= max(drawn.max(), 1e-6)
    shift = random.choice([-1, 1], p=[0.7, 0.3]) * 2 * image.mean() * random.uniform(0.12, 0.4)
    return image + shift * drawn[..., None], drawn > 0.25


def _spot(image: Array, extent_px: float, random: Generator) -> NDArray[np.float64]:
    """Return the opacity of a smooth-edged ellipse on the image, with a peak of 1."""
    row, column = draw_centre_px(structure_of(image), random)
    rows, columns = np.mgrid[: image.shape[0], : image.shape[1]]
    height_px, width_px = extent_px / 2 * random.uniform(0.4, 1.0, size=2)
    distance = ((rows - row) / height_px) ** 2 + ((columns - column) / width_px) ** 2
    return np.asarray(special.expit(4 * (1 - distance)))
