"""New images are compared with the training images: sizes beyond theirs are remarked on, or refused."""

import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from rcae.base.errors import ImageError
from rcae.data.image_files import ImageContent
from rcae.data.photograph import Photograph
from rcae.data.usual_image import SIZE_LIMIT, WORTH_A_WORD, UsualImage
from tests.data.test_image_files import encoded

USUAL = UsualImage((100, 200), (50, 100), (0.4, 0.6), 0.5, None)
SIDES = st.integers(16, 2000)
fixed = settings(derandomize=True, deadline=None, max_examples=80)


@fixed
@given(st.integers(100, 200), st.floats(0.4, 0.6))
def test_sizes_between_those_of_training_are_usual(height, aspect):
    width = min(max(round(height * aspect), 50), 100)
    if 0.4 <= width / height <= 0.6:
        assert USUAL.unlikeness(height, width) == 1
        assert USUAL.size_remark("part.png", height, width, SIZE_LIMIT) is None


@fixed
@given(SIDES, SIDES)
def test_unlikeness_is_the_factor_that_brings_an_image_within_the_training_images(height, width):
    unlikeness = USUAL.unlikeness(height, width)
    slack = 1 + 1e-9
    assert height * unlikeness * slack >= 100
    assert height / unlikeness <= 200 * slack
    assert width * unlikeness * slack >= 50
    assert width / unlikeness <= 100 * slack
    assert width / height * unlikeness * slack >= 0.4
    assert width / height / unlikeness <= 0.6 * slack


@pytest.mark.parametrize(
    ("height", "width", "answer"),
    [
        (210, 105, None),
        (230, 110, "remark"),
        (290, 145, "remark"),
        (400, 200, "refusal"),
        (50, 25, "refusal"),
        (120, 100, "remark"),
        (100, 100, "refusal"),  # each side is usual, and the shape is not
    ],
)
def test_a_remark_comes_before_the_refusal(height, width, answer):
    try:
        remark = USUAL.size_remark("part.png", height, width, SIZE_LIMIT)
    except ImageError as error:
        seen = "refusal"
        assert f"part.png is {width}x{height} px" in str(error)  # noqa: PT017
        assert "--size-limit" in str(error)  # noqa: PT017
    else:
        seen = "remark" if remark else None
    assert seen == answer
    assert 1 < WORTH_A_WORD < SIZE_LIMIT


@pytest.mark.parametrize(("height", "width"), [(400, 200), (507, 253), (64, 32), (1999, 1000)])
def test_the_limit_that_a_refusal_names_lets_the_image_pass(height, width):
    with pytest.raises(ImageError, match="with --size-limit") as refusal:
        USUAL.size_remark("part.png", height, width, SIZE_LIMIT)
    named = re.search(r"a factor of ([\d.]+) with", str(refusal.value))
    assert USUAL.size_remark("part.png", height, width, float(named[1]))


def test_an_image_turned_by_exif_is_measured_upright(tmp_path):
    exif = Image.Exif()
    exif[274] = 6
    Image.new("L", (40, 20), 99).save(tmp_path / "part.jpg", exif=exif)
    measured = UsualImage.measure([tmp_path / "part.jpg"])
    assert (measured.heights_px, measured.widths_px) == ((40, 40), (20, 20))


def test_a_file_of_another_size_is_refused_before_it_is_decoded():
    whole = encoded(np.zeros((400, 200, 3), np.uint8), "PNG")
    cut = ImageContent("part.png", whole[:100])  # its header is whole, and its pixels are not
    with pytest.raises(ImageError, match="is 200x400 px, and the training images are 50 to 100 px"):
        Photograph.read(cut, USUAL, SIZE_LIMIT)


def test_a_photograph_keeps_its_remarks_by_kind():
    pixels = np.full((230, 110), 2000, np.uint16)
    seen = Photograph.read(pixels, USUAL, SIZE_LIMIT)
    assert list(seen.remarks) == ["size", "white"]
    assert seen.image[0, 0, 0] == np.float32(2000 / 4095)
    assert Photograph.read(pixels, None, SIZE_LIMIT).remarks == {}
