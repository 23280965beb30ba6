"""MVTec AD 2: the tree of MVTec AD, with several tests."""

from pathlib import Path

from rcae.data.layouts.mvtec import read_tree
from rcae.data.layouts.sample import Category, good_folders

_TEST = "test_public"
"""The test with labels; the private ones have none."""


def is_mvtec_2(root: Path) -> bool:
    """Tell MVTec AD 2 by its public test."""
    return bool(good_folders(root / "train")) and (root / _TEST).is_dir()


def read_mvtec_2(root: Path) -> Category:
    """Read the training images and the public test; masks lie in `test_public/ground_truth/bad/`."""
    return read_tree(root, _TEST, "mvtec_2")
