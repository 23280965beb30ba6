"""A plain object that anyone can draw: a green block, turned a little, in front of a cluttered ground."""

from pathlib import Path

import numpy as np
from numpy.random import Generator
from PIL import Image, ImageDraw
from scipy import ndimage

from rcae.base.arrays import Array, Mask

COUNT = 80
SIDE_PX = 384
"""Height and width of an image."""
BLOCK_SIDE = 0.6
"""Side of the block, as a share of the image's."""
THINGS = 60
"""Things that lie on the ground."""


def lay_out_blocks(data: Path) -> None:
    """Draw good images of the block into a new category folder."""
    folder = data / "train" / "good"
    folder.mkdir(parents=True)
    for number in range(COUNT):
        pixels, _ = draw_block(np.random.default_rng(number))
        Image.fromarray((255 * pixels).round().astype(np.uint8)).save(folder / f"{number:03d}.png")


def mask_of_block(path: Path) -> Mask:
    """Return where the block lies in an image of this name; it is drawn again."""
    return draw_block(np.random.default_rng(int(path.stem)))[1]


def draw_block(random: Generator) -> tuple[Array, Mask]:
    """Draw one block, and its mask; ground, pose and light are others in every image."""
    image = _clutter(random)
    half = BLOCK_SIDE * SIDE_PX / 2
    middle = SIDE_PX / 2 + random.uniform(-0.04, 0.04, size=2) * SIDE_PX
    angle = random.uniform(-0.06, 0.06)
    rows, columns = np.mgrid[:SIDE_PX, :SIDE_PX] - middle[:, None, None]
    down = np.cos(angle) * rows + np.sin(angle) * columns
    right = np.cos(angle) * columns - np.sin(angle) * rows
    opacity = np.clip(half - np.maximum(np.abs(down), np.abs(right)), 0, 1)[..., None]
    colour = np.array([0.15, 0.5, 0.25]) * random.uniform(0.92, 1.08)
    light = 1 + 0.12 * (down + right)[..., None] / half
    image += opacity * (colour * light - image)
    image += random.normal(0, 0.012, image.shape)
    return np.clip(image, 0, 1).astype(np.float32), opacity[..., 0] > 0.5


def _clutter(random: Generator) -> Array:
    """Draw a ground on which things of every colour and size lie over one another."""
    canvas = Image.new("RGB", (SIDE_PX, SIDE_PX), tuple(random.integers(60, 200, size=3).tolist()))
    draw = ImageDraw.Draw(canvas)
    for _ in range(THINGS):
        corner = random.uniform(-0.1, 1.0, size=2) * SIDE_PX
        size = np.exp(random.uniform(np.log(8), np.log(120), size=2))
        colour = tuple(random.integers(0, 256, size=3).tolist())
        thing = draw.ellipse if random.random() < 0.5 else draw.rectangle
        thing([*corner, *(corner + size)], fill=colour)
    pixels = np.asarray(canvas, dtype=np.float32) / 255
    return ndimage.gaussian_filter(pixels, (0.7, 0.7, 0))
