"""Obvious marks on good images: what anyone sees at a glance. Training paints none of these kinds.

Each mark gets an image [height, width, 3] in 0..1, the mask of the part and the share of the part's area
that it shall cover. It returns the marked image and the mark's opacity in 0..1, [height, width].
"""

import numpy as np
from numpy.random import Generator
from scipy import ndimage

from rcae.base.arrays import Array, Mask

SHARES = (0.01, 0.1)
"""Smallest and largest share of the part's area under a mark."""
LEAST_CHANGE = 0.15
"""Least mean change under an obvious mark, as a share of the range 0..1."""
TRIES = 10
"""Draws of a mark at most, until one is obvious; the strongest of them is taken."""
GROUND_PX = 6
"""Distance from the part where its shadow ends and plain ground begins, in pixels."""


def draw_mark(kind: str, image: Array, part: Mask, random: Generator) -> tuple[Array, float]:
    """Draw a mark of a kind, and return the marked image with the mean change under the mark."""
    best, strongest = image, -1.0
    for _ in range(TRIES):
        share = float(np.exp(random.uniform(*np.log(SHARES))))
        marked, opacity = MARKS[kind](image, part, share, random)
        marked = np.clip(marked, 0, 1).astype(np.float32)
        change = float(np.abs(marked - image).max(axis=2)[opacity > 0.5].mean())
        if change > strongest:
            best, strongest = marked, change
        if change >= LEAST_CHANGE:
            break
    return best, strongest


def hole(image: Array, part: Mask, share: float, random: Generator) -> tuple[Array, Array]:
    """Drill a round dark hole with a lit wall on one side."""
    inside, rows, columns = _ellipse(part, share, random, slimmest=0.8)
    opacity = _softened(inside)
    angle = random.uniform(0, 2 * np.pi)
    lit = np.clip(np.cos(angle) * rows + np.sin(angle) * columns, 0, 1) ** 4
    dark = random.uniform(0.0, 0.1) + 0.2 * lit
    return _under(image, dark[..., None] * np.ones(3), opacity), opacity


def spot(image: Array, part: Mask, share: float, random: Generator) -> tuple[Array, Array]:
    """Throw a bright spot that fades at its rim, as glare or a splash of white."""
    inside, rows, columns = _ellipse(part, share, random, slimmest=0.5)
    opacity = np.where(inside, np.clip(1.6 * (1 - np.hypot(rows, columns) ** 3), 0, 1), 0)
    return _under(image, np.ones(3) * random.uniform(0.9, 1.0), opacity), opacity


def corner(image: Array, part: Mask, share: float, random: Generator) -> tuple[Array, Array]:
    """Break off the part's end in some direction, so that the ground shows there.

    The ground is what lies around the part, and nearly black where the image shows none.
    """
    rows, columns = np.mgrid[: image.shape[0], : image.shape[1]]
    angle = random.choice([0.25, 0.75, 1.25, 1.75]) * np.pi + random.uniform(-0.4, 0.4)
    reach = np.cos(angle) * rows / image.shape[0] + np.sin(angle) * columns / image.shape[1]
    inside = part & (reach >= np.quantile(reach[part], 1 - share))
    ground = ~ndimage.binary_dilation(part, iterations=GROUND_PX)
    drawn = np.full_like(image, 0.03)
    if ground.any():
        nearest = ndimage.distance_transform_edt(
            ~ground, return_distances=False, return_indices=True
        )
        drawn = image[tuple(nearest)]
    opacity = _softened(inside)
    return _under(image, drawn, opacity), opacity


def smear(image: Array, part: Mask, share: float, random: Generator) -> tuple[Array, Array]:
    """Wipe grease over the part: dragged structure under a pale streaked film."""
    inside, *_ = _ellipse(part, share, random, slimmest=0.35)
    opacity = _softened(inside)
    angle, length_px = random.uniform(0, np.pi), np.sqrt(inside.sum())
    down, right = np.arange(part.shape[0])[:, None], np.arange(part.shape[1])
    across = np.cos(angle) * right + np.sin(angle) * (part.shape[0] - 1 - down)
    across -= across.min()
    streaks = ndimage.gaussian_filter1d(random.normal(size=int(across.max()) + 1), length_px / 20)
    streaks = streaks[across.astype(int)] / max(float(streaks.std()), 1e-6)
    dragged = ndimage.gaussian_filter(image, (length_px / 8, length_px / 8, 0))
    is_pale = dragged[inside].mean() < 0.6
    film = dragged + (0.3 if is_pale else -0.3) + 0.06 * streaks[..., None]
    return _under(image, film, opacity), opacity


def dye(image: Array, part: Mask, share: float, random: Generator) -> tuple[Array, Array]:
    """Tint the part with a colour that it does not have; grey images get another grey.

    The structure below stays visible.
    """
    inside, *_ = _ellipse(part, share, random, slimmest=0.4)
    opacity = _softened(inside)
    own = image[inside].mean(axis=0)
    if np.ptp(image, axis=2).max() < 0.02:
        tint = np.ones(3) * (own.mean() + 0.35 if own.mean() < 0.5 else own.mean() - 0.35)
    else:
        tints = np.array(
            [[0.8, 0.1, 0.1], [0.1, 0.7, 0.1], [0.1, 0.2, 0.8], [0.8, 0.7, 0], [0.7, 0.1, 0.7]]
        )
        far = tints[np.abs(tints - own).max(axis=1) > 0.35]
        tint = far[random.integers(len(far))]
    structure = image.mean(axis=2) / max(float(own.mean()), 0.05)
    return _under(image, tint * (0.5 + 0.5 * structure[..., None]), opacity), opacity


MARKS = {"hole": hole, "spot": spot, "corner": corner, "smear": smear, "dye": dye}


def _ellipse(
    part: Mask, share: float, random: Generator, *, slimmest: float
) -> tuple[Mask, Array, Array]:
    """Return the share of the part nearest to a point of it, by elliptical distance.

    The rows and columns of all pixels are returned too, turned into the ellipse, where it ends at 1.
    """
    rows, columns = np.nonzero(part)
    chosen = random.integers(rows.size)
    angle, slimness = random.uniform(0, np.pi), random.uniform(slimmest, 1)
    down, right = (
        np.arange(side)[shape] - float(at[chosen])
        for side, shape, at in zip(
            part.shape, (np.s_[:, None], np.s_[None]), (rows, columns), strict=True
        )
    )
    along = (np.cos(angle) * down + np.sin(angle) * right) * slimness
    across = np.cos(angle) * right - np.sin(angle) * down
    distance = np.hypot(along, across)
    end = max(1.0, float(np.quantile(distance[part], share)))
    return part & (distance <= end), along / end, across / end


def _softened(inside: Mask) -> Array:
    """Return the mask as an opacity with the edge of a sharp lens."""
    return ndimage.gaussian_filter(inside.astype(np.float32), 0.8)


def _under(image: Array, mark: Array, opacity: Array) -> Array:
    """Return the image below a mark of this opacity."""
    return image + opacity[..., None] * (mark - image)
