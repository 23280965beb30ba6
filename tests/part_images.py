"""Images of one part before plain ground, drawn by formula in any pose."""

import numpy as np

GROUND, PART = 0.8, 0.3


def part_image(size_px, centre_px, angle, *, length_px=40, tail=0.5, ground=GROUND):
    """[height, width, 3]: a wedge whose thin end points in the direction `angle`, in radians from the
    columns to the rows; `tail` is the width of its thin end over that of the other."""
    rows, columns = np.mgrid[: size_px[0], : size_px[1]]
    down, right = rows - centre_px[0], columns - centre_px[1]
    along = (right * np.cos(angle) + down * np.sin(angle)) / length_px
    across = (down * np.cos(angle) - right * np.sin(angle)) / length_px
    half_width = 0.15 * (1 - (1 - tail) * (along + 0.5))
    outside_px = length_px * np.maximum(np.abs(across) - half_width, np.abs(along) - 0.5)
    covered = np.clip(0.5 - outside_px, 0, 1)
    grey = ground + covered * (PART - ground)
    return np.repeat(grey.astype(np.float32)[:, :, None], 3, axis=2)
