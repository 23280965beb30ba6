"""Good images held out for the test where a layout gives none."""

from collections.abc import Sequence
from pathlib import Path

HELD_OUT_EVERY = 5
"""Stride of the test images: every fifth good image is one (our choice)."""


def hold_out(good: Sequence[Path], reason: str) -> tuple[list[Path], list[Path], str]:
    """Divide good images; return those to train on, those of the test, and a remark for the user.

    Args:
        good: good images in a fixed order.
        reason: end of the remark, after "because".
    """
    test = list(good[HELD_OUT_EVERY - 1 :: HELD_OUT_EVERY])
    train = [path for number, path in enumerate(good, start=1) if number % HELD_OUT_EVERY]
    note = (
        f"Every fifth good image by name, {len(test)} in all, is for the test and not for training, "
        f"because {reason}."
    )
    return train, test, note
