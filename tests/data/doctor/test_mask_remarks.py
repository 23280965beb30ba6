import numpy as np
import pytest
from PIL import Image

from rcae.data.doctor.examine import examine
from rcae.data.layouts.source import DataSource
from tests.data.conftest import draw_part

MASK = "ground_truth/crack/000_mask.png"


def findings_on_masks(data):
    return [(f.code, f.message) for f in examine(data).findings if "mask" in f.code]


def save_mask(root, pixels):
    Image.fromarray(pixels).save(root / MASK)


def test_each_value_of_a_mask_is_named_with_its_share_and_meaning(mvtec):
    pixels = np.zeros((24, 20), np.uint8)
    pixels[:12], pixels[12:18], pixels[18:, :10] = 0, 100, 200
    save_mask(mvtec, pixels)
    ((code, message),) = findings_on_masks(mvtec)
    assert code == "many-valued-mask"
    assert "has 3 values: 0 62.50% good, 100 25.00% good, 200 12.50% defect." in message


def test_all_class_numbers_but_zero_count_as_defect(mvtec):
    pixels = np.zeros((24, 20), np.uint8)
    pixels[2:4], pixels[6:8] = 1, 2
    save_mask(mvtec, pixels)
    assert "1 8.33% defect, 2 8.33% defect" in findings_on_masks(mvtec)[0][1]


def test_colours_are_named_as_such(mvtec):
    pixels = np.zeros((24, 20, 3), np.uint8)
    pixels[2:4], pixels[6:7] = (255, 0, 0), (0, 255, 0)
    save_mask(mvtec, pixels)
    message = findings_on_masks(mvtec)[0][1]
    assert "(0,0,0) 87.50% good, (255,0,0) 8.33% defect, (0,255,0) 4.17% defect." in message


def test_only_the_most_frequent_values_are_named(mvtec):
    save_mask(mvtec, np.tile(np.arange(24, dtype=np.uint8)[:, None] * 10, (1, 20)))
    assert "has 24 values: " in findings_on_masks(mvtec)[0][1]
    assert " and 18 more." in findings_on_masks(mvtec)[0][1]


def save_turned_image(root, orientation, size_px=(24, 20)):
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(draw_part(99, *size_px)).save(root / "test/crack/000.png", exif=exif)


@pytest.mark.parametrize("orientation", [2, 3, 4])
def test_a_mask_whose_size_does_not_tell_whether_it_is_turned_is_named(mvtec, orientation):
    save_turned_image(mvtec, orientation)
    ((code, message),) = findings_on_masks(mvtec)
    assert code == "mask-of-turned-image"
    assert "give --masks-unturned" in message
    assert findings_on_masks(DataSource(mvtec, masks_unturned=True)) == []


def test_a_mask_whose_size_tells_that_it_is_turned_is_fine(mvtec, write_mask):
    save_turned_image(mvtec, 6, (20, 24))
    write_mask(mvtec / MASK, 24, 20)
    assert findings_on_masks(mvtec) == []


def test_masks_drawn_on_unturned_pixels_are_usable_when_said_so(mvtec, write_mask):
    save_turned_image(mvtec, 6, (20, 24))
    write_mask(mvtec / MASK, 20, 24)
    assert [code for code, _ in findings_on_masks(mvtec)] == ["wrong-mask-size"]
    assert findings_on_masks(DataSource(mvtec, masks_unturned=True)) == []


def test_inverted_masks_are_usable_when_said_so(mvtec):
    for mask in (mvtec / "ground_truth").rglob("*.png"):
        pixels = np.asarray(Image.open(mask))
        Image.fromarray(255 - pixels).save(mask)
    assert [code for code, _ in findings_on_masks(mvtec)] == ["inverted-masks"]
    assert findings_on_masks(DataSource(mvtec, masks_inverted=True)) == []
    assert examine(DataSource(mvtec, masks_inverted=True)).ok
