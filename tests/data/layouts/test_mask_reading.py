import json

import numpy as np
import pytest
import tifffile
from PIL import Image

from rcae.base.errors import ImageError
from rcae.data.image_files import read_header
from rcae.data.images import read_image
from rcae.data.layouts.category import open_category
from rcae.data.layouts.mask_reading import MaskReading, stored_size
from rcae.data.layouts.source import DataSource

ORIENTATIONS = range(1, 9)


def draw_turned(folder, number, suffix=".png"):
    """An image whose only bright pixels are a block, its mask on the stored pixels, and EXIF data."""
    stored = np.zeros((20, 30), np.uint8)
    stored[3:6, 4:12] = 255
    exif = Image.Exif()
    exif[0x0112] = number
    Image.fromarray(stored).save(folder / f"image{suffix}", exif=exif)
    Image.fromarray(stored).save(folder / "mask.png")
    return folder / f"image{suffix}", folder / "mask.png"


@pytest.mark.parametrize("suffix", [".png", ".tif"])
@pytest.mark.parametrize("number", ORIENTATIONS)
def test_a_mask_drawn_on_unturned_pixels_is_turned_like_its_image(tmp_path, number, suffix):
    image, mask = draw_turned(tmp_path, number, suffix)
    marked = MaskReading(unturned=True).read(mask, image)
    assert np.array_equal(marked, read_image(image)[..., 0] > 0.5)
    assert marked.dtype == bool


@pytest.mark.parametrize("number", ORIENTATIONS)
def test_polygons_drawn_on_unturned_pixels_are_turned_like_their_image(tmp_path, number):
    image, _ = draw_turned(tmp_path, number)
    points = [[4, 3], [12, 3], [12, 6], [4, 6]]
    annotation = tmp_path / "image.json"
    annotation.write_text(json.dumps({"shapes": [{"points": points}]}))
    marked = MaskReading(unturned=True).read(annotation, image)
    truth = read_image(image)[..., 0] > 0.5
    assert marked.shape == truth.shape
    assert marked[truth].all()
    assert (marked & ~truth).sum() <= 8 + 3 + 1


def test_a_mask_that_exif_turns_itself_lies_right_already(tmp_path):
    image, _ = draw_turned(tmp_path, 6)
    (tmp_path / "mask.png").write_bytes(image.read_bytes())
    marked = MaskReading(unturned=True).read(tmp_path / "mask.png", image)
    assert np.array_equal(marked, read_image(image)[..., 0] > 0.5)


@pytest.mark.parametrize("number", ORIENTATIONS)
def test_orientation_and_stored_size_are_those_of_the_file(tmp_path, number):
    image, _ = draw_turned(tmp_path, number)
    assert (read_header(image).orientation, stored_size(image)) == (number, (20, 30))


def test_an_image_that_cannot_be_read_is_named(tmp_path):
    (tmp_path / "image.png").write_text("text")
    with pytest.raises(ImageError, match=r"image.png is not a"):
        stored_size(tmp_path / "image.png")


def test_an_inverted_mask_is_white_where_the_part_is_good(tmp_path):
    image, mask = draw_turned(tmp_path, 1)
    plain = MaskReading().read(mask, image)
    assert np.array_equal(MaskReading(inverted=True).read(mask, image), ~plain)


def test_a_source_says_how_the_masks_of_all_its_images_are_read(make_files):
    root = make_files("parts", "good/0.png", "crack/0.png", "masks/crack/0.png")
    readings = {
        sample.mask_reading
        for sample in open_category(
            DataSource(root, masks_inverted=True, masks_unturned=True)
        ).samples
    }
    assert readings == {MaskReading(inverted=True, unturned=True)}


@pytest.mark.parametrize("number", [1, 6])
def test_masks_of_images_that_pillow_cannot_open_are_turned_too(tmp_path, number):
    """Pillow knows no TIFF with colours of 32-bit floats."""
    image, mask = tmp_path / "image.tif", tmp_path / "mask.png"
    marked = np.zeros((20, 30), np.bool_)
    marked[2:5, 20:29] = True
    colours = np.stack([marked] * 3, axis=2).astype(np.float32)
    tag = [(274, "H", 1, number, True)]
    tifffile.imwrite(image, colours, photometric="rgb", metadata=None, extratags=tag)
    Image.fromarray(marked).save(mask)
    seen = MaskReading(unturned=True).read(mask, image)
    assert np.array_equal(seen, read_image(image)[..., 0] > 0)
