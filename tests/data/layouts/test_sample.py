import numpy as np
import pytest
from PIL import Image

from rcae.base.errors import DataError
from rcae.data.layouts.sample import Sample


def saved(path, marked, size=(20, 30)):
    pixels = np.zeros(size, np.uint8)
    pixels[marked] = 255
    Image.fromarray(pixels).save(path)
    return path


def test_the_masks_of_an_image_add_up(tmp_path):
    masks = (saved(tmp_path / "a.png", (1, 2)), saved(tmp_path / "b.png", (3, 4)))
    mask = Sample(tmp_path / "image.png", "test", "crack", masks).mask()
    assert mask.dtype == bool
    assert np.argwhere(mask).tolist() == [[1, 2], [3, 4]]


def test_masks_of_different_sizes_are_refused_by_name(tmp_path):
    masks = (saved(tmp_path / "a.png", 0), saved(tmp_path / "b.png", 0, (30, 20)))
    with pytest.raises(DataError, match=r"image.png has 2 masks of 2 different sizes .*b.png"):
        Sample(tmp_path / "image.png", "test", "crack", masks).mask()
