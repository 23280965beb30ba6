"""Images with more than 8 bits: decoded in full, and scaled by one rule for the value of white."""

import logging
import zlib

import imagecodecs
import numpy as np
import pytest
import tifffile

from rcae.base.errors import ImageError
from rcae.data.image_files import ImageContent, decode, read_header
from rcae.data.images import read_image, read_mask
from rcae.data.usual_image import UsualImage

RANDOM = np.random.default_rng(7)
TWELVE = RANDOM.integers(0, 4096, (24, 20), dtype=np.uint16)
TWELVE[0, :2] = 0, 4095


def tiff(path, pixels, **options):
    tifffile.imwrite(path, pixels, metadata=None, **options)
    return path


def packed_12_bit(path, pixels):
    """A TIFF with two pixels in three bytes, and its tags, written by hand."""
    height, width = pixels.shape
    pairs = pixels.astype(int).reshape(-1, 2)
    joined = (pairs[:, 0] << 12) | pairs[:, 1]
    data = np.stack([joined >> 16, joined >> 8, joined], axis=1).astype(np.uint8).tobytes()
    tags = [
        (256, width),
        (257, height),
        (258, 12),
        (259, 1),
        (262, 1),
        (273, 8),
        (277, 1),
        (278, height),
        (279, len(data)),
    ]
    entries = b"".join(
        tag.to_bytes(2, "little")
        + (4).to_bytes(2, "little")
        + (1).to_bytes(4, "little")
        + value.to_bytes(4, "little")
        for tag, value in tags
    )
    directory = len(tags).to_bytes(2, "little") + entries + bytes(4)
    path.write_bytes(b"II*\0" + (8 + len(data)).to_bytes(4, "little") + data + directory)
    return path


def decoded_or_refusal(source):
    try:
        return decode(source).values
    except ImageError as error:
        return error


def usual(white_level=None, brightness=0.5):
    return UsualImage((24, 24), (20, 20), (20 / 24, 20 / 24), brightness, white_level)


@pytest.mark.parametrize("compression", [None, "zlib", "lzw"])
@pytest.mark.parametrize("planar", ["contig", "separate"])
def test_16_bit_colour_of_a_tiff_keeps_every_bit(tmp_path, compression, planar):
    pixels = RANDOM.integers(0, 65536, (24, 20, 3), dtype=np.uint16)
    stored = pixels if planar == "contig" else np.moveaxis(pixels, 2, 0)
    options = {"photometric": "rgb", "planarconfig": planar, "compression": compression}
    path = tiff(tmp_path / "p.tif", stored, **options)
    assert read_header(path).kind == "16-bit RGB"
    np.testing.assert_array_equal(read_image(path), pixels.astype(np.float32) / np.float32(65535))


def test_16_bit_colour_of_a_png_keeps_every_bit(tmp_path):
    pixels = RANDOM.integers(0, 65536, (24, 20, 3), dtype=np.uint16)
    path = tmp_path / "p.png"
    path.write_bytes(imagecodecs.png_encode(pixels))
    assert read_header(path).kind == "16-bit RGB"
    np.testing.assert_array_equal(decode(path).values, pixels)


@pytest.mark.parametrize("channels", [2, 4])
def test_16_bit_alpha_of_a_png_is_composited_onto_black(channels):
    pixels = np.full((24, 20, channels), 60000, np.uint16)
    pixels[:12, :, -1] = 0
    pixels[12:, :, -1] = 65535
    seen = decode(ImageContent("p.png", imagecodecs.png_encode(pixels))).values
    assert seen.shape == ((24, 20) if channels == 2 else (24, 20, 3))
    assert seen[:12].max() == 0
    assert seen[12:].min() == 60000


def test_packed_12_bit_values_are_shares_of_4095(tmp_path):
    path = packed_12_bit(tmp_path / "p.tif", TWELVE)
    assert read_header(path).kind == "12-bit grey"
    np.testing.assert_array_equal(read_image(path)[..., 0], TWELVE / np.float32(4095))


@pytest.mark.parametrize(
    ("tag", "stated", "white"),
    [(281, 4095, 4095), (50717, 16383, 16383), (281, 3977, None), (341, 1023, 1023)],
)
def test_a_stated_white_level_counts_and_the_largest_value_of_an_image_does_not(
    tmp_path, tag, stated, white
):
    path = tiff(tmp_path / "p.tif", TWELVE // 8, extratags=[(tag, "H", 1, stated, True)])
    assert decode(path).white == white


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
@pytest.mark.parametrize("channels", [1, 3])
def test_floats_of_any_precision_are_read_as_they_are(tmp_path, dtype, channels):
    pixels = RANDOM.random((24, 20, channels)).astype(dtype)
    photometric = "minisblack" if channels == 1 else "rgb"
    path = tiff(tmp_path / "p.tif", pixels.squeeze(), photometric=photometric)
    np.testing.assert_array_equal(
        read_image(path), np.broadcast_to(pixels, (24, 20, 3)).astype("f4")
    )


@pytest.mark.parametrize("dtype", ["uint16", "int16", "uint32", "int32", "float32"])
def test_zero_is_white_where_the_tag_says_so(tmp_path, dtype):
    shares = np.linspace(0, 1, 24 * 20).reshape(24, 20)
    white = 1 if dtype == "float32" else 4095
    values = (white * shares).astype(dtype)
    path = tiff(tmp_path / "p.tif", values, photometric="miniswhite")
    seen = read_image(path, usual(white_level=4095))[..., 0]
    np.testing.assert_allclose(seen, 1 - values / white, atol=1e-6)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_deep_image_is_turned_like_a_flat_one(tmp_path, orientation):
    flat = (TWELVE >> 4).astype(np.uint8)
    tag = [(274, "H", 1, orientation, True)]
    turned = [
        decode(tiff(tmp_path / f"{depth}.tif", values, extratags=tag)).values
        for depth, values in ((8, flat), (16, flat.astype(np.uint16)))
    ]
    np.testing.assert_array_equal(*turned)
    assert read_header(tmp_path / "16.tif").is_turned == (orientation > 1)
    header = read_header(tmp_path / "16.tif")
    assert (header.height_px, header.width_px) == turned[1].shape


def test_the_white_level_of_training_images_is_the_least_depth_that_holds_them(tmp_path):
    dark = tiff(tmp_path / "dark.tif", TWELVE // 9)
    bright = tiff(tmp_path / "bright.tif", TWELVE)
    flat = tiff(tmp_path / "flat.tif", (TWELVE >> 4).astype(np.uint8))
    assert UsualImage.measure([dark]).white_level == 1023
    assert UsualImage.measure([dark, bright, flat]).white_level == 4095
    assert UsualImage.measure([flat]).white_level is None
    assert UsualImage.measure([dark], white_level=16383).white_level == 16383


def test_mixed_depths_of_one_scene_look_alike(tmp_path):
    deep = tiff(tmp_path / "deep.tif", TWELVE)
    flat = tiff(tmp_path / "flat.tif", (TWELVE >> 4).astype(np.uint8))
    seen = [read_image(path, usual(white_level=4095)) for path in (deep, flat)]
    np.testing.assert_allclose(*seen, atol=1 / 255)


@pytest.mark.parametrize("bits", [10, 12, 14, 16])
def test_a_model_of_8_bit_images_assumes_the_depth_that_looks_usual(tmp_path, bits):
    shares = RANDOM.uniform(0.2, 0.8, (24, 20))
    path = tiff(tmp_path / "p.tif", ((2**bits - 1) * shares).astype(np.uint16))
    white, remark = usual(brightness=0.5).white_of(decode(path), "p.tif")
    assert white == 2**bits - 1
    assert "white is assumed to be" in remark


def test_values_above_the_white_level_of_training_are_another_camera(tmp_path):
    path = tiff(tmp_path / "p.tif", TWELVE * 16)
    with pytest.raises(ImageError, match=r"p\.tif has values up to 65520.*bit depth has changed"):
        read_image(path, usual(white_level=4095))


def test_a_glint_above_the_white_level_is_white(tmp_path):
    pixels = np.full((24, 20), 500, np.uint16)
    pixels[3, 4] = 1500
    seen = read_image(tiff(tmp_path / "p.tif", pixels), usual(white_level=1023))
    assert seen[3, 4].max() == 1
    assert seen[0, 0, 0] == np.float32(500 / 1023)


def test_a_deep_tiff_cut_short_is_damaged(tmp_path):
    path = tiff(tmp_path / "p.tif", TWELVE, rowsperstrip=4)
    content = path.read_bytes()
    whole = decode(path).values
    for kept in range(8, len(content), 97):
        seen = decoded_or_refusal(ImageContent("p.tif", content[:kept]))
        assert "damaged" in str(seen) or np.array_equal(seen, whole)


def test_broken_bytes_of_a_deep_image_raise_no_other_error(tmp_path):
    contents = [
        tiff(tmp_path / "a.tif", TWELVE, compression="zlib").read_bytes(),
        tiff(tmp_path / "b.tif", np.stack([TWELVE] * 3, 2), photometric="rgb").read_bytes(),
        imagecodecs.png_encode(np.stack([TWELVE] * 3, 2)),
    ]
    random = np.random.default_rng(3)
    for content in contents:
        for _ in range(150):
            broken = bytearray(content)
            for place in random.integers(0, min(len(broken), 300), 3):
                broken[place] = random.integers(256)
            decoded_or_refusal(ImageContent("part", bytes(broken)))


def test_a_deep_mask_marks_every_value_but_zero(tmp_path):
    marked = np.zeros((24, 20), np.uint16)
    marked[3:9, 4:8] = 4095
    mask = read_mask(tiff(tmp_path / "m.tif", marked))
    np.testing.assert_array_equal(mask, marked > 0)


def test_a_colour_space_that_is_not_read_is_named(tmp_path):
    path = tiff(tmp_path / "p.tif", np.zeros((24, 20, 4), np.uint16), photometric="separated")
    with pytest.raises(ImageError, match=r"4 channels of the colour space SEPARATED"):
        read_image(path)


def test_several_deep_pages_are_refused(tmp_path):
    path = tmp_path / "p.tif"
    tifffile.imwrite(path, np.stack([TWELVE, TWELVE]), photometric="minisblack")
    with pytest.raises(ImageError, match="holds 2 images"):
        decode(path)


def test_a_compressed_tiff_of_other_software_gives_the_same_pixels(tmp_path):
    """Deflate strips, packed here by zlib itself."""
    path = tiff(tmp_path / "p.tif", TWELVE, compression="zlib", rowsperstrip=24)
    with tifffile.TiffFile(path) as file:
        page = file.pages[0]
        start, count = page.dataoffsets[0], page.databytecounts[0]
    unpacked = zlib.decompress(path.read_bytes()[start : start + count])
    np.testing.assert_array_equal(
        np.frombuffer(unpacked, "<u2").reshape(24, 20), decode(path).values
    )


def test_pages_without_end_are_counted_to_a_few(tmp_path):
    path = tmp_path / "p.tif"
    tifffile.imwrite(path, np.stack([TWELVE] * 30), photometric="minisblack")
    with pytest.raises(ImageError, match="holds at least 8 images"):
        decode(path)


def test_a_deep_tiff_that_claims_more_rows_than_it_holds_is_damaged(tmp_path):
    """Without a look at the strips, the missing rows would be read as black."""
    path = tiff(tmp_path / "p.tif", TWELVE, rowsperstrip=24)
    content = bytearray(path.read_bytes())
    with tifffile.TiffFile(path) as file:
        content[file.pages[0].tags["ImageLength"].valueoffset] = 240
    with pytest.raises(ImageError, match="pixels are missing at its end"):
        decode(ImageContent("p.tif", bytes(content)))


def test_reading_many_files_leaves_nothing_behind(tmp_path):
    path = tiff(tmp_path / "p.tif", TWELVE)
    decode(path)
    before = list(logging.getLogger("tifffile").handlers)
    decode(path)
    assert logging.getLogger("tifffile").handlers == before
