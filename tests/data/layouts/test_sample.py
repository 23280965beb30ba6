import numpy as np
import pytest
from PIL import Image

from rcae.base.errors import DataError
from rcae.data.images import image_size
from rcae.data.layouts.sample import Sample, fault_of_size


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


@pytest.mark.parametrize(
    ("orientation", "shape", "expected"),
    [
        (1, (20, 30), None),
        (1, (30, 20), "is 20x30 px, its image 30x20 px; a mask has the size of its image."),
        (
            6,
            (20, 30),
            "is 30x20 px, its image 20x30 px after EXIF turns it; turn the mask in the same way, "
            "or give --masks-unturned.",
        ),
        (6, (30, 20), None),
        (6, (30, 30), "is 30x30 px, its image 20x30 px; a mask has the size of its image."),
    ],
)
def test_a_mask_drawn_before_exif_turned_its_image_is_told_so(
    tmp_path, orientation, shape, expected
):
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(np.zeros((20, 30), np.uint8)).save(tmp_path / "image.jpg", exif=exif)
    size_px = image_size(tmp_path / "image.jpg")
    assert fault_of_size(tmp_path / "image.jpg", size_px, np.zeros(shape, bool)) == expected
