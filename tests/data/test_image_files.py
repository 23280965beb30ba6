import errno
import io
import os
import tempfile
import warnings
from pathlib import Path

import numpy as np
import pillow_heif
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from rcae.base.errors import ImageError, ImageFormatError, UsageError
from rcae.data.image_files import MAXIMUM_PIXELS, MINIMUM_SIDE_PX, decode, read_header
from rcae.data.images import image_size, read_image
from tests.data.conftest import draw_part, png_chunk, png_header

UPRIGHT = [[0, 1, 2], [3, 4, 5]]
STORED_AS = {
    # EXIF 2.3, tag 0x0112: which sides of the scene the first row and the first column show.
    1: UPRIGHT,  # top, left
    2: [[2, 1, 0], [5, 4, 3]],  # top, right
    3: [[5, 4, 3], [2, 1, 0]],  # bottom, right
    4: [[3, 4, 5], [0, 1, 2]],  # bottom, left
    5: [[0, 3], [1, 4], [2, 5]],  # left, top
    6: [[2, 5], [1, 4], [0, 3]],  # right, top
    7: [[5, 2], [4, 1], [3, 0]],  # right, bottom
    8: [[3, 0], [4, 1], [5, 2]],  # left, bottom
}


def blocks(levels):
    """Each level as a block of 8x8 px, which JPEG keeps to within a grey level or two."""
    return np.kron(np.array(levels, dtype=np.uint8) * 40, np.ones((8, 8), dtype=np.uint8))


def orientation_exif(orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    return exif


def encoded(pixels, format_name, **options):
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, format_name, **options)
    return file.getvalue()


@pytest.mark.parametrize(
    ("suffix", "options"),
    [
        (".jpg", {"quality": 100}),
        (".png", {}),
        (".tif", {}),
        (".tif", {"compression": "tiff_lzw"}),
    ],
)
@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_exif_orientation_comes_out_upright(tmp_path, orientation, suffix, options):
    path = tmp_path / f"photo{suffix}"
    stored = Image.fromarray(blocks(STORED_AS[orientation]))
    stored.save(path, exif=orientation_exif(orientation), **options)
    assert decode(path).values.astype(int) == pytest.approx(blocks(UPRIGHT).astype(int), abs=2)
    assert image_size(path) == (16, 24)


@pytest.mark.parametrize("orientation", [0, 9, 65535])
def test_an_orientation_that_does_not_exist_changes_nothing(tmp_path, orientation):
    path = tmp_path / "photo.png"
    Image.fromarray(blocks(UPRIGHT)).save(path, exif=orientation_exif(orientation))
    assert np.array_equal(decode(path).values, blocks(UPRIGHT))


def test_exif_data_behind_the_pixels_of_a_png_turns_neither_the_pixels_nor_the_size(tmp_path):
    path = tmp_path / "late.png"
    data = encoded(blocks(UPRIGHT), "PNG")
    late = png_chunk(b"eXIf", orientation_exif(6).tobytes().removeprefix(b"Exif\0\0"))
    path.write_bytes(data[:-12] + late + data[-12:])
    assert image_size(path) == decode(path).values.shape == (16, 24)


def test_the_size_is_read_without_any_pixel(tmp_path):
    path = tmp_path / "header.png"
    path.write_bytes(png_header(640, 480))
    assert image_size(path) == (480, 640)
    with pytest.raises(ImageError, match="damaged"):
        read_image(path)


@pytest.mark.parametrize(
    ("mode", "suffix", "kind"),
    [
        ("1", ".png", "1-bit"),
        ("L", ".bmp", "8-bit grey"),
        ("L", ".jpg", "8-bit grey"),
        ("LA", ".png", "8-bit grey with alpha"),
        ("P", ".png", "palette"),
        ("RGB", ".jpeg", "8-bit RGB"),
        ("RGBA", ".tiff", "8-bit RGB with alpha"),
        ("CMYK", ".tif", "8-bit CMYK"),
        ("I;16", ".png", "16-bit grey"),
        ("F", ".tif", "32-bit float grey"),
    ],
)
def test_the_header_names_channels_and_depth(tmp_path, mode, suffix, kind):
    path = tmp_path / f"part{suffix}"
    Image.new(mode, (30, 20)).save(path)
    header = read_header(path)
    assert (header.height_px, header.width_px, header.kind) == (20, 30, kind)


def _missing(path):
    pass


def _folder(path):
    path.mkdir()


def _pipe(path):
    os.mkfifo(path)


def _link_to_itself(path):
    path.symlink_to(path.name)


def _broken_link(path):
    path.symlink_to("gone.png")


def _empty(path):
    path.write_bytes(b"")


def _text(path):
    path.write_text("no image at all")


def _gif(path):
    path.write_bytes(encoded(draw_part(0), "GIF"))


def _truncated_jpeg(path):
    data = encoded(draw_part(0, 200, 200), "JPEG")
    path.write_bytes(data[: len(data) // 2])


def _truncated_png(path):
    data = encoded(draw_part(0, 200, 200), "PNG")
    path.write_bytes(data[: len(data) // 2])


def _header_only(path):
    path.write_bytes(encoded(draw_part(0), "PNG")[:20])


def _one_pixel(path):
    path.write_bytes(encoded(draw_part(0, 1, 1), "PNG"))


def _narrow(path):
    path.write_bytes(encoded(draw_part(0, 400, MINIMUM_SIDE_PX - 1), "PNG"))


def _bomb(path):
    path.write_bytes(png_header(60_000, 60_000))


def _small_bomb(path):
    path.write_bytes(png_header(10_000, 10_000))


def _two_pages(path):
    pages = [Image.fromarray(draw_part(number)) for number in range(2)]
    pages[0].save(path, "TIFF", save_all=True, append_images=pages[1:])


def _animation(path):
    frames = [Image.fromarray(draw_part(number)) for number in range(3)]
    frames[0].save(path, "PNG", save_all=True, append_images=frames[1:])


def _lab(path):
    Image.new("LAB", (20, 20)).save(path, "TIFF")


HOSTILE = {
    _missing: r"cannot be read \(No such file",
    _folder: "is not a file",
    _pipe: "is not a file",
    _link_to_itself: r"cannot be read \(Too many levels of symbolic links\)",
    _broken_link: r"cannot be read \(No such file.*links",
    _empty: r"is empty \(0 bytes\)",
    _text: "is not a PNG, JPEG, BMP, TIFF, WebP",
    _gif: "is not a PNG, JPEG, BMP, TIFF, WebP",
    _truncated_jpeg: r"is damaged \(.*truncated",
    _truncated_png: r"is damaged \(.*truncated",
    _header_only: "is not a PNG|is damaged",
    _one_pixel: "is 1x1 px; each side needs at least 16 px",
    _narrow: "is 15x400 px; each side needs at least 16 px",
    _bomb: "more than 89 megapixels",
    _small_bomb: "more than 89 megapixels",
    _two_pages: "holds 2 images",
    _animation: "holds 3 images",
    _lab: "colour mode LAB",
}


@pytest.mark.parametrize("make", HOSTILE, ids=lambda make: make.__name__.strip("_"))
def test_a_hostile_file_is_refused_by_path_and_reason(tmp_path, make):
    path = tmp_path / "Prüfling 螺丝 1.png"
    make(path)
    with pytest.raises(ImageError, match=HOSTILE[make]) as caught:
        read_image(path)
    assert str(caught.value).startswith(f"{path} ")


@pytest.mark.parametrize("make", [_bomb, _small_bomb])
@pytest.mark.parametrize("action", ["error", "always"])
def test_a_decompression_bomb_is_refused_by_its_header_whatever_warnings_do(tmp_path, make, action):
    path = tmp_path / "bomb.png"
    make(path)
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter(action)
        with pytest.raises(ImageError, match="megapixels"):
            image_size(path)
    assert seen == []


def test_the_largest_image_allowed_passes_and_one_row_more_does_not(tmp_path):
    path = tmp_path / "large.png"
    width, height = MAXIMUM_PIXELS // 145, 145
    assert width * height == MAXIMUM_PIXELS
    path.write_bytes(png_header(width, height))
    assert image_size(path) == (height, width)
    path.write_bytes(png_header(width, height + 1))
    with pytest.raises(ImageError, match="megapixels"):
        image_size(path)


def test_a_file_that_may_not_be_read_is_refused_by_path_and_reason(tmp_path, monkeypatch):
    path = tmp_path / "locked.png"
    path.write_bytes(encoded(draw_part(0), "PNG"))

    def refuse(*args, **options):
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(ImageError, match=r"locked\.png cannot be read \(Permission denied\)"):
        read_image(path)


DAMAGEABLE = [
    encoded(draw_part(0), "PNG", exif=orientation_exif(6)),
    encoded(draw_part(0), "JPEG", exif=orientation_exif(6)),
    encoded(draw_part(0), "BMP"),
    encoded(draw_part(0), "TIFF"),
    encoded(draw_part(0), "WEBP", lossless=True),
    encoded(draw_part(0), "JPEG2000"),
    encoded(draw_part(0), "PPM"),
]


@settings(derandomize=True, deadline=None, max_examples=150)
@given(
    data=st.sampled_from(DAMAGEABLE),
    changes=st.lists(st.tuples(st.integers(0, 300), st.integers(0, 255)), max_size=8),
    kept=st.floats(0.01, 1),
)
def test_a_damaged_file_is_read_or_refused_but_nothing_else(data, changes, kept):
    damaged = bytearray(data)
    for position, value in changes:
        damaged[position % len(damaged)] = value
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "damaged.png"
        path.write_bytes(damaged[: int(len(damaged) * kept)])
        try:
            image = read_image(path)
        except ImageError:
            return
        assert image.shape == (*image_size(path), 3)


@pytest.mark.parametrize(
    ("suffix", "format_name", "options"),
    [
        (".webp", "WEBP", {"lossless": True}),
        (".jp2", "JPEG2000", {"irreversible": False}),
        (".ppm", "PPM", {}),
        (".tga", "TGA", {}),
        (".TGA", "TGA", {"compression": "tga_rle"}),
    ],
)
def test_lossless_kinds_give_the_pixels_that_were_saved(tmp_path, suffix, format_name, options):
    path = tmp_path / f"part{suffix}"
    path.write_bytes(encoded(draw_part(3), format_name, **options))
    assert np.array_equal(decode(path).values, draw_part(3))


def test_16_bit_pgm_keeps_its_depth(tmp_path):
    pixels = (draw_part(0)[..., 0].astype(np.uint16) << 8) + 7
    header = b"P5 %d %d 65535\n" % pixels.shape[::-1]
    (tmp_path / "part.pgm").write_bytes(header + pixels.astype(">u2").tobytes())
    assert np.array_equal(decode(tmp_path / "part.pgm").values, pixels)


def test_a_file_without_signature_is_read_by_its_name_alone(tmp_path):
    path = tmp_path / "part.png"
    path.write_bytes(encoded(draw_part(0), "TGA"))
    with pytest.raises(ImageFormatError, match="whatever its name"):
        decode(path)


def test_the_first_picture_of_an_mpo_file_counts(tmp_path):
    first, second = Image.fromarray(draw_part(0)), Image.fromarray(draw_part(1))
    first.save(tmp_path / "part.mpo", save_all=True, append_images=[second])
    with Image.open(tmp_path / "part.mpo") as image:
        assert (image.format, image.n_frames) == ("MPO", 2)
        expected = np.asarray(image)
    assert np.array_equal(decode(tmp_path / "part.mpo").values, expected)


def test_a_preview_in_a_tiff_is_no_second_image(tmp_path):
    page, preview = Image.fromarray(draw_part(0)), Image.fromarray(draw_part(0)).resize((20, 20))
    preview.encoderinfo = {"tiffinfo": {254: 1}}
    page.save(tmp_path / "part.tif", save_all=True, append_images=[preview])
    with Image.open(tmp_path / "part.tif") as image:
        image.seek(1)
        assert image.tag_v2[254] == 1
    assert np.array_equal(decode(tmp_path / "part.tif").values, draw_part(0))


def test_the_fourth_byte_of_a_bmp_is_no_alpha(tmp_path):
    colours = draw_part(0)
    pixels = np.concatenate([colours, np.zeros_like(colours[..., :1])], axis=2)
    Image.fromarray(pixels, "RGBA").save(tmp_path / "part.bmp")
    assert np.array_equal(decode(tmp_path / "part.bmp").values, colours)


def test_a_heic_image_is_read(tmp_path):
    pillow_heif.register_heif_opener()
    pixels = draw_part(3)
    options = {"quality": -1, "chroma": 444, "matrix_coefficients": 0}
    Image.fromarray(pixels).save(tmp_path / "part.heic", **options)
    seen = decode(tmp_path / "part.heic").values
    assert seen.shape == (*image_size(tmp_path / "part.heic"), 3)
    np.testing.assert_allclose(seen.astype(int), pixels.astype(int), atol=3)


def test_a_heic_image_without_its_package_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setattr("rcae.base.extras.find_spec", lambda _: None)
    (tmp_path / "part.heic").write_bytes(bytes(4) + b"ftypheic" + bytes(20))
    with pytest.raises(ImageError, match=r"part\.heic, a HEIC image, needs pillow-heif; run: pip"):
        decode(tmp_path / "part.heic")


def test_the_environment_sets_another_limit_of_pixels(tmp_path, monkeypatch):
    Image.new("L", (1500, 1000)).save(tmp_path / "large.png")
    monkeypatch.setenv("RCAE_MEGAPIXELS", "1")
    with pytest.raises(ImageError, match=r"more than 1 megapixels.*or set RCAE_MEGAPIXELS"):
        decode(tmp_path / "large.png")
    monkeypatch.setenv("RCAE_MEGAPIXELS", "200")
    (tmp_path / "huge.png").write_bytes(png_header(14_000, 14_000))
    assert image_size(tmp_path / "huge.png") == (14_000, 14_000)
    monkeypatch.setenv("RCAE_MEGAPIXELS", "many")
    with pytest.raises(UsageError, match="RCAE_MEGAPIXELS is 'many'"):
        decode(tmp_path / "large.png")
