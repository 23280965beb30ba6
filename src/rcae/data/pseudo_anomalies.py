"""Pseudo anomalies painted into good images: the paper's colour patches, lines and copy-paste.

The paper fixes the three kinds and leaves sizes and strengths open. Ours spread both over wide ranges,
because a real defect may be a faint scratch one pixel wide or a large bright stain.
"""

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from scipy import ndimage

Array = NDArray[np.float32]
VISIBLE_CHANGE = 0.03
"""Of the range 0..1: a painted pixel counts as anomalous if it, or one within 2 px, changed more."""

COVERED = 0.2
"""Opacity of a shape from which a pixel belongs to it."""


def paint_anomalies(
    image: Array, donor: Array, random: Generator
) -> tuple[Array, NDArray[np.bool_]]:
    """Paint one to three pseudo anomalies into a good image.

    Args:
        image: [height, width, 3], 0..1.
        donor: another (or the same) good image of the same shape, the source of copy-paste.
        random: draws everything; the same state gives the same picture.

    Returns:
        The painted image, and the mask of the pixels that visibly changed.
    """
    painted, covered = image.copy(), np.zeros(image.shape[:2], dtype=np.bool_)
    for _ in range(random.integers(1, 4)):
        shape = _shape(image.shape[:2], random)
        opacity = shape[..., None] * np.float32(random.uniform(0.3, 1.0))
        painted += opacity * (_fill(painted, donor, random) - painted)
        covered |= shape > COVERED
    painted = np.clip(painted, 0.0, 1.0)
    change = np.abs(painted - image).max(axis=2)
    return painted, covered & (ndimage.maximum_filter(change, size=5) > VISIBLE_CHANGE)


# Shapes: opacity in 0..1, [height, width].


def _shape(size_px: tuple[int, int], random: Generator) -> Array:
    kind = random.random()
    if kind < 0.25:
        return _patch(size_px, random)
    return _blob(size_px, random) if kind < 0.5 else _line(size_px, random)


def _patch(size_px: tuple[int, int], random: Generator) -> Array:
    """A rotated rectangle with sharp or soft edges."""
    extents_px = _extent_px(size_px, random) * random.uniform(0.3, 1.0, size=2)
    angle = random.uniform(0.0, np.pi)
    axes = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    corners = _centre_px(size_px, random) + (_CORNERS * extents_px / 2) @ axes
    return _soften(_draw_polygon(size_px, corners), random)


def _blob(size_px: tuple[int, int], random: Generator) -> Array:
    """A closed outline whose radius wanders: stains, chips, dents."""
    angles = np.linspace(0.0, 2.0 * np.pi, num=48, endpoint=False)
    radii = np.ones_like(angles)
    for wave in range(1, 6):
        radii += random.normal(0.0, 0.4 / wave) * np.cos(
            wave * angles + random.uniform(0, 2 * np.pi)
        )
    outline = np.abs(radii)[:, None] * np.stack([np.cos(angles), np.sin(angles)], axis=1)
    outline *= _extent_px(size_px, random) / 2 * random.uniform(0.3, 1.0, size=2)
    return _soften(_draw_polygon(size_px, _centre_px(size_px, random) + outline), random)


def _line(size_px: tuple[int, int], random: Generator) -> Array:
    """A wandering line: scratches, cracks, hairs, fibres."""
    count = int(random.integers(3, 10))
    turns = random.uniform(0, 2 * np.pi) + np.cumsum(
        random.normal(0.0, random.uniform(0, 0.7), count)
    )
    step_px = 2.0 * _extent_px(size_px, random) / count
    path = _centre_px(size_px, random) + np.cumsum(
        step_px * np.stack([np.cos(turns), np.sin(turns)], axis=1), axis=0
    )
    canvas = Image.new("L", size_px[::-1])
    width_px = max(1, round(float(random.exponential(1.5))))
    ImageDraw.Draw(canvas).line([tuple(point) for point in path], fill=255, width=width_px)
    return _soften(np.asarray(canvas, dtype=np.float32) / np.float32(255), random, most_px=0.7)


_CORNERS = np.array([[-1.0, -1.0], [1.0, -1.0], [1.0, 1.0], [-1.0, 1.0]])


def _extent_px(size_px: tuple[int, int], random: Generator) -> float:
    """Log-uniform from 3 px to half the window: small defects are as frequent as large."""
    return float(np.exp(random.uniform(np.log(3.0), np.log(max(4.0, min(size_px) / 2)))))


def _centre_px(size_px: tuple[int, int], random: Generator) -> NDArray[np.float64]:
    return random.uniform(0.0, 1.0, size=2) * size_px[::-1]


def _draw_polygon(size_px: tuple[int, int], corners: NDArray[np.float64]) -> Array:
    canvas = Image.new("L", size_px[::-1])
    ImageDraw.Draw(canvas).polygon([tuple(corner) for corner in corners], fill=255)
    return np.asarray(canvas, dtype=np.float32) / np.float32(255)


def _soften(opacity: Array, random: Generator, most_px: float = 3.0) -> Array:
    softened = ndimage.gaussian_filter(opacity, random.uniform(0.0, most_px))
    peak = softened.max()
    return np.asarray(softened / peak if peak > 0 else softened, dtype=np.float32)


# Fills: what stands under the shape, [height, width, 3].


def _fill(image: Array, donor: Array, random: Generator) -> Array:
    kind = random.random()
    if kind < 0.25:
        return _colour(image, random)
    return _shade(image, random) if kind < 0.5 else _moved(donor, random)


def _colour(image: Array, random: Generator) -> Array:
    """One colour, alone or with noise; a grey one in a grey image, where colour would give it away."""
    is_grey = np.ptp(image, axis=2).max() == 0
    colour = random.uniform(0.0, 1.0, size=1 if is_grey or random.random() < 0.5 else 3)
    noise = random.normal(0.0, random.uniform(0.0, 0.2), size=(*image.shape[:2], 1))
    return np.broadcast_to(colour + noise, image.shape).astype(np.float32)


def _shade(image: Array, random: Generator) -> Array:
    """The image itself, darker or brighter: scratches, cracks, stains on the very texture."""
    shift = random.uniform(0.05, 0.5) * random.choice([-1.0, 1.0])
    return (image + np.float32(shift)).clip(0.0, 1.0)


def _moved(donor: Array, random: Generator) -> Array:
    """Another good image, moved and mirrored: right texture, wrong place."""
    moved = np.roll(donor, random.integers(0, donor.shape[:2]), axis=(0, 1))
    if random.random() < 0.5:
        moved = moved[::-1]
    if random.random() < 0.5:
        moved = moved[:, ::-1]
    return moved
