import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as numpy_strategies
from PIL import Image

from rcae.base.errors import ImageError
from rcae.data.images import read_image, read_mask, resize
from rcae.data.photograph import Photograph
from rcae.data.usual_image import SIZE_LIMIT
from tests.data.conftest import draw_part

repeatable = settings(derandomize=True, deadline=None, max_examples=50)


def filled(value, dtype=np.uint8, shape=(16, 20)):
    return np.full((*shape, *np.shape(value)), value, dtype=dtype)


def save(path, pixels, **options):
    Image.fromarray(pixels).save(path, **options)
    return path


def as_image(pixels):
    return Photograph.read(pixels, None, SIZE_LIMIT).image


def assert_one_colour(image, expected):
    assert image.dtype == np.float32
    assert image.shape == (16, 20, 3)
    assert image.reshape(-1, 3).min(axis=0) == pytest.approx(expected, abs=1e-6)
    assert image.reshape(-1, 3).max(axis=0) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("suffix", [".png", ".bmp", ".tif", ".TIFF"])
def test_lossless_formats_give_back_the_very_pixels(tmp_path, suffix):
    pixels = draw_part(1)
    assert np.array_equal(
        np.rint(read_image(save(tmp_path / f"part{suffix}", pixels)) * 255), pixels
    )


def test_jpeg_gives_back_a_flat_colour(tmp_path):
    image = read_image(save(tmp_path / "part.jpg", filled((200, 100, 50)), quality=100))
    assert image[8, 8] * 255 == pytest.approx((200, 100, 50), abs=2)


@pytest.mark.parametrize("suffix", [".png", ".bmp", ".tif", ".jpg"])
def test_grey_is_repeated_in_three_channels(tmp_path, suffix):
    image = read_image(save(tmp_path / f"part{suffix}", filled(51)))
    assert_one_colour(image, (0.2, 0.2, 0.2))


def test_one_bit_gives_black_and_white(tmp_path):
    pixels = filled(False, bool)
    pixels[:, 10:] = True
    image = read_image(save(tmp_path / "part.png", pixels))
    assert np.array_equal(image, np.repeat(pixels[..., None], 3, axis=2).astype(np.float32))


def test_a_palette_gives_its_colours_not_its_indices(tmp_path):
    picture = Image.new("P", (20, 16), 1)
    picture.putpalette([0, 0, 0, 255, 51, 0])
    picture.save(tmp_path / "part.png")
    assert_one_colour(read_image(tmp_path / "part.png"), (1.0, 0.2, 0.0))


def test_cmyk_gives_rgb(tmp_path):
    Image.new("CMYK", (20, 16), (0, 255, 255, 0)).save(tmp_path / "part.tif")
    assert_one_colour(read_image(tmp_path / "part.tif"), (1.0, 0.0, 0.0))


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_alpha_is_composited_onto_black(tmp_path, suffix):
    image = read_image(save(tmp_path / f"part{suffix}", filled((255, 102, 0, 51))))
    assert_one_colour(image, (0.2, 0.08, 0.0))


def test_grey_with_alpha_is_composited_onto_black(tmp_path):
    Image.new("LA", (20, 16), (255, 51)).save(tmp_path / "part.png")
    assert_one_colour(read_image(tmp_path / "part.png"), (0.2, 0.2, 0.2))


def test_colours_hidden_under_transparent_pixels_do_not_matter(tmp_path):
    pixels = np.dstack([draw_part(1), draw_part(2)[..., 0] // 128 * 255])
    hidden = np.where(pixels[..., 3:] == 0, 77, pixels[..., :3])
    others = np.dstack([hidden, pixels[..., 3]]).astype(np.uint8)
    assert not np.array_equal(pixels, others)
    images = [read_image(save(tmp_path / f"{i}.png", p)) for i, p in enumerate((pixels, others))]
    assert np.array_equal(*images)


def test_a_transparent_palette_entry_is_black(tmp_path):
    picture = Image.new("P", (20, 16), 1)
    picture.putpalette([0, 0, 0, 255, 255, 255])
    picture.save(tmp_path / "part.png", transparency=1)
    assert_one_colour(read_image(tmp_path / "part.png"), (0.0, 0.0, 0.0))


@pytest.mark.parametrize("dtype", ["<u2", ">u2", "<i4"])
@pytest.mark.parametrize("value", [0, 257, 4095, 65535])
def test_sixteen_bit_grey_is_divided_by_65535_and_never_stretched(tmp_path, dtype, value):
    image = read_image(save(tmp_path / "part.tif", filled(value, dtype)))
    assert_one_colour(image, (value / 65535,) * 3)


def test_a_sixteen_bit_png_keeps_its_depth(tmp_path):
    pixels = np.arange(320, dtype=np.uint16).reshape(16, 20) + 30_000
    image = read_image(save(tmp_path / "part.png", pixels))
    assert np.array_equal(np.rint(image[..., 1] * 65535), pixels)


def test_a_float_tiff_is_taken_as_it_is(tmp_path):
    assert_one_colour(read_image(save(tmp_path / "p.tif", filled(0.3, np.float32))), (0.3,) * 3)


@pytest.mark.parametrize("value", [-0.1, 1.5, 255.0, np.nan, np.inf])
def test_a_float_tiff_beyond_0_to_1_is_refused(tmp_path, value):
    pixels = filled(0.5, np.float32)
    pixels[3, 4] = value
    with pytest.raises(ImageError, match=r"p\.tif has values from .* must lie in 0\.\.1"):
        read_image(save(tmp_path / "p.tif", pixels))


def test_negative_integers_are_refused(tmp_path):
    pixels = filled(7, np.int32)
    pixels[3, 4] = -1
    with pytest.raises(ImageError, match=r"p\.tif has values from -1 to 7"):
        read_image(save(tmp_path / "p.tif", pixels))


def test_an_array_is_read_like_the_file_that_holds_it(tmp_path):
    arrays = (draw_part(1), draw_part(1)[..., 0], filled((9, 8, 7, 6)), filled(700, np.uint16))
    for number, pixels in enumerate(arrays):
        path = save(tmp_path / f"{number}.png", pixels)
        assert np.array_equal(as_image(pixels), read_image(path))


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_a_float_array_is_taken_as_it_is_but_not_shared(dtype):
    pixels = filled(0.5, dtype, (16, 16, 3))
    image = as_image(pixels)
    image[:] = 0
    assert image.dtype == np.float32
    assert (pixels == 0.5).all()


@pytest.mark.parametrize(
    ("pixels", "reason"),
    [
        (np.zeros((20, 20), np.int64), "type int64"),
        (np.zeros((20, 20), bool), "type bool"),
        (np.zeros((20, 20), complex), "type complex128"),
        (np.zeros((3, 20, 20), np.uint8), r"shape \(3, 20, 20\)"),
        (np.zeros((20, 20, 1), np.uint8), r"shape \(20, 20, 1\)"),
        (np.zeros((1, 20, 20, 3), np.uint8), r"shape \(1, 20, 20, 3\)"),
        (np.zeros((0, 20), np.uint8), "is 20x0 px"),
        (np.zeros((20, 15, 3), np.uint8), "is 15x20 px"),
        (np.full((20, 20), 200.0), r"must lie in 0\.\.1"),
        (np.full((20, 20), np.nan), r"must lie in 0\.\.1"),
    ],
)
def test_an_array_outside_the_rules_is_refused(pixels, reason):
    with pytest.raises(ImageError, match=reason):
        as_image(pixels)


@pytest.mark.parametrize(
    ("dtype", "below"), [(np.uint8, 127), (np.uint16, 32767), (np.float32, 0.4999)]
)
def test_a_mask_is_cut_at_half_of_its_range(tmp_path, dtype, below):
    pixels = filled(below, dtype)
    pixels[2, 3] = below + 1 if dtype != np.float32 else 0.5
    mask = read_mask(save(tmp_path / "mask.tif", pixels))
    assert mask.dtype == bool
    assert np.argwhere(mask).tolist() == [[2, 3]]


def test_a_one_bit_mask_is_taken_as_it_is(tmp_path):
    pixels = draw_part(1)[..., 0] > 128
    assert np.array_equal(read_mask(save(tmp_path / "mask.png", pixels)), pixels)


def test_every_strong_colour_of_a_mask_is_a_defect(tmp_path):
    pixels = filled((0, 0, 0))
    pixels[0, :5] = [(255, 255, 255), (255, 0, 0), (0, 255, 0), (0, 0, 200), (90, 90, 127)]
    mask = read_mask(save(tmp_path / "mask.png", pixels))
    assert np.argwhere(mask).tolist() == [[0, 0], [0, 1], [0, 2], [0, 3]]


@pytest.mark.parametrize("number", [1, 3, 127])
def test_a_mask_without_any_bright_value_holds_class_numbers(tmp_path, number):
    pixels = filled(0)
    pixels[5, 6:8] = number
    mask = read_mask(save(tmp_path / "mask.png", pixels))
    assert np.argwhere(mask).tolist() == [[5, 6], [5, 7]]


def test_the_faint_noise_of_a_black_jpeg_mask_is_no_defect(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 4, (32, 32)).astype(np.uint8)
    assert not read_mask(save(tmp_path / "mask.jpg", pixels)).any()


def test_an_indexed_mask_is_a_defect_wherever_it_is_not_zero(tmp_path):
    pixels = filled(0)
    pixels[5, 6:9] = (1, 2, 13)
    path = save(tmp_path / "mask.png", pixels)
    assert np.argwhere(read_mask(path, indexed=True)).tolist() == [[5, 6], [5, 7], [5, 8]]


def test_an_indexed_mask_in_colour_is_a_defect_wherever_it_is_not_black(tmp_path):
    pixels = filled((0, 0, 0))
    pixels[5, 6] = (0, 3, 0)
    path = save(tmp_path / "mask.png", pixels)
    assert np.argwhere(read_mask(path, indexed=True)).tolist() == [[5, 6]]


def test_an_indexed_palette_mask_counts_by_index_not_by_colour(tmp_path):
    picture = Image.new("P", (20, 16), 0)
    picture.putpalette([255, 255, 255, 0, 0, 0])
    picture.putpixel((6, 5), 1)
    picture.save(tmp_path / "mask.png")
    assert np.argwhere(read_mask(tmp_path / "mask.png", indexed=True)).tolist() == [[5, 6]]


def test_halving_weights_pixels_by_a_triangle_of_two_pixels():
    # Centres of the outputs lie at 1 and 3, of the inputs at 0.5, 1.5, 2.5, 3.5; weights fall from 1
    # to 0 over 2 px, so 3/4, 3/4, 1/4, 0 over their sum 7/4.
    columns = np.array([7, 14, 21, 28], dtype=np.float32)
    expected = [(3 * 7 + 3 * 14 + 21) / 7, (14 + 3 * 21 + 3 * 28) / 7]
    assert resize(np.tile(columns, (3, 1)), 3, 2)[1] == pytest.approx(expected)
    assert resize(np.tile(columns, (3, 1)).T, 2, 3)[:, 1] == pytest.approx(expected)


def test_doubling_interpolates_between_pixel_centres():
    rows = resize(np.array([[0, 1], [0, 1]], dtype=np.float32), 2, 4)
    assert rows[0] == pytest.approx([0.0, 0.25, 0.75, 1.0])


def test_resizing_to_the_same_size_changes_nothing():
    image = np.random.default_rng(0).normal(size=(17, 19, 3)).astype(np.float32)
    assert resize(image, 17, 19) is image


def test_each_channel_is_resized_on_its_own_and_values_stay_float():
    image = np.random.default_rng(0).normal(size=(31, 23, 3)).astype(np.float32) * 100
    resized = resize(image, 12, 40)
    assert (resized.shape, resized.dtype) == ((12, 40, 3), np.float32)
    for channel in range(3):
        assert np.array_equal(resized[..., channel], resize(image[..., channel], 12, 40))


@repeatable
@given(
    image=numpy_strategies.arrays(
        np.float32, st.tuples(st.integers(1, 9), st.integers(1, 9)), elements=st.integers(-5, 5)
    ),
    height=st.integers(1, 20),
    width=st.integers(1, 20),
)
def test_resizing_commutes_with_mirroring_and_stays_within_the_range(image, height, width):
    resized = resize(image, height, width)
    assert resized.shape == (height, width)
    mirrored = resize(np.ascontiguousarray(image[::-1, ::-1]), height, width)[::-1, ::-1]
    assert resized == pytest.approx(mirrored, abs=1e-4)
    assert image.min() - 1e-4 <= resized.min() <= resized.max() <= image.max() + 1e-4


def test_all_256_levels_survive_the_way_to_float_and_back():
    levels = np.arange(256, dtype=np.uint8).reshape(16, 16)
    assert np.array_equal(np.rint(as_image(levels)[..., 0] * 255), levels)
