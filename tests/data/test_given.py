import io

import numpy as np
import pytest
import torch
from PIL import Image

from rcae.base.errors import ImageError
from rcae.data.given import readable
from rcae.data.photograph import Photograph


def pixels(image):
    return Photograph.read(readable(image), None, 1.5).image


@pytest.fixture
def colours():
    return np.random.default_rng(0).integers(0, 256, (20, 30, 3)).astype(np.uint8)


@pytest.mark.parametrize("mode", ["RGB", "L", "1", "P", "RGBA", "LA", "CMYK", "I;16"])
def test_a_pil_image_and_its_bytes_are_what_its_file_is(colours, tmp_path, mode):
    image = Image.fromarray(colours)
    if mode == "I;16":
        image = Image.fromarray(colours[..., 0].astype(np.uint16) * 200)
    elif mode in ("RGBA", "LA"):
        image.putalpha(Image.fromarray(colours[..., 1]))
        image = image.convert(mode)
    else:
        image = image.convert(mode)
    file = tmp_path / ("image.tif" if mode == "CMYK" else "image.png")
    image.save(file)
    expected = pixels(file)
    np.testing.assert_array_equal(pixels(image), expected)
    np.testing.assert_array_equal(pixels(file.read_bytes()), expected)
    with Image.open(file) as opened:
        np.testing.assert_array_equal(pixels(opened), expected)


def test_a_pil_image_is_upright_by_its_exif_data(colours, tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(colours).save(tmp_path / "turned.png", exif=exif)
    with Image.open(tmp_path / "turned.png") as opened:
        np.testing.assert_array_equal(pixels(opened), pixels(tmp_path / "turned.png"))


@pytest.mark.parametrize("dtype", [torch.uint8, torch.float32, torch.float16, torch.bfloat16])
def test_a_tensor_has_its_channels_first(colours, dtype):
    tensor = torch.from_numpy(colours).permute(2, 0, 1)
    if dtype.is_floating_point:
        tensor = (tensor / 255).to(dtype).requires_grad_()
    np.testing.assert_allclose(pixels(tensor), pixels(colours), atol=4e-3)
    np.testing.assert_allclose(pixels(tensor[:1]), pixels(colours[..., 0]), atol=4e-3)
    np.testing.assert_allclose(pixels(tensor[0]), pixels(colours[..., 0]), atol=4e-3)


@pytest.mark.parametrize("shape", [(1, 3, 20, 30), (20, 30, 3), (2, 20, 30), (20,)])
def test_a_tensor_of_another_layout_is_refused(shape):
    with pytest.raises(ImageError, match=r"channel, height, width"):
        readable(torch.zeros(shape))


@pytest.mark.parametrize("image", [None, 3, ["a.png"], io.BytesIO()])
def test_anything_else_is_refused_by_its_kind(image):
    with pytest.raises(ImageError, match=rf"is a {type(image).__name__}; give a path"):
        readable(image)


def test_an_array_may_change_after_it_was_read_and_a_file_is_read_again(colours, tmp_path):
    given = Photograph.read(colours, None, 1.5)
    before = given.image.copy()
    colours[:] = 0
    np.testing.assert_array_equal(given.reader(), before)
    Image.fromarray(colours).save(tmp_path / "a.png")
    read = Photograph.read(tmp_path / "a.png", None, 1.5).reader
    Image.fromarray(colours + 255).save(tmp_path / "a.png")
    assert read().min() == 1.0
