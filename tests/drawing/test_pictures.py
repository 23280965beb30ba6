"""Pictures: what the colours promise, pixel by pixel."""

import base64
import io
import tracemalloc
from itertools import groupby

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image

from rcae.base.errors import UsageError
from rcae.drawing import pictures
from rcae.drawing.pictures import HEAT_COLOURS, REGION_COLOUR, HeatScale

SCALE = HeatScale(low=0.2, threshold=0.6)


def grey(height, width, value=0.5):
    return np.full((height, width, 3), value, dtype=np.float32)


def pixels(picture):
    return np.asarray(picture.convert("RGB"))


def outline_of(picture):
    return (pixels(picture) == REGION_COLOUR).all(axis=-1)


def test_heat_is_0_at_low_a_half_at_the_threshold_and_1_as_far_above_it():
    anomaly_map = np.array([[-5, 0.2, 0.4, 0.6, 0.8, 1.0, 50]])
    np.testing.assert_allclose(SCALE.heat(anomaly_map), [[0, 0, 0.25, 0.5, 0.75, 1, 1]], atol=1e-12)


def test_the_heatmap_has_the_first_middle_and_last_colour_at_low_threshold_and_twice_as_far():
    drawn = pixels(pictures.heatmap(np.array([[0.2, 0.6, 1.0]]), SCALE))
    assert [tuple(pixel) for pixel in drawn[0]] == [
        HEAT_COLOURS[0],
        HEAT_COLOURS[len(HEAT_COLOURS) // 2],
        HEAT_COLOURS[-1],
    ]


def test_more_heat_is_always_a_lighter_colour_so_that_colour_blind_people_can_read_it():
    ramp = np.linspace(0, 1.2, 200)[np.newaxis]
    lightness = pixels(pictures.heatmap(ramp, SCALE))[0] @ (0.2126, 0.7152, 0.0722)
    assert (np.diff(lightness) > -1).all()  # one grey level of rounding
    assert lightness[-1] - lightness[0] > 200


def test_colours_do_not_depend_on_what_else_is_in_the_image():
    quiet, loud = np.full((8, 16), 0.5, np.float32), np.full((8, 16), 0.5, np.float32)
    loud[:, 8:] = 1e6
    for draw in (
        lambda anomaly_map: pictures.heatmap(anomaly_map, SCALE),
        lambda anomaly_map: pictures.overlay(grey(8, 16), anomaly_map, SCALE),
    ):
        np.testing.assert_array_equal(pixels(draw(quiet))[:, :8], pixels(draw(loud))[:, :8])


@given(hnp.arrays(np.float32, (6, 7), elements=st.floats(-1, 2, width=32)))
def test_an_overlay_leaves_every_pixel_up_to_low_untouched(anomaly_map):
    image = np.random.default_rng(0).random((6, 7, 3), dtype=np.float32)
    quiet = anomaly_map.astype(np.float64) <= SCALE.low
    drawn = pixels(pictures.overlay(image, anomaly_map, SCALE))
    np.testing.assert_array_equal(drawn[quiet], pixels(pictures.to_image(image))[quiet])


@pytest.mark.parametrize("value", [0, 0.25, 0.5, 0.75, 1])
def test_heat_at_the_threshold_is_unmistakable_on_any_grey(value):
    drawn = pixels(pictures.overlay(grey(4, 4, value), np.full((4, 4), 0.6), SCALE, False))
    red, _, blue = drawn[0, 0].astype(int)
    assert red - blue > 30


@pytest.mark.parametrize("colour", [(0, 0, 0), (1, 1, 1), (0.2, 0.5, 0.9)])
def test_heat_fades_in_from_nothing_to_almost_opaque(colour):
    image = np.full((1, 200, 3), colour, np.float32)
    ramp = np.linspace(0.2, 1.0, 200)[np.newaxis]
    drawn = pixels(pictures.overlay(image, ramp, SCALE, False)).astype(float)[0] / 255
    assert np.abs(np.diff(drawn, axis=0)).max() < 0.03  # no step that would look like an edge
    np.testing.assert_allclose(
        drawn[-1], 0.2 * np.array(colour) + 0.8 * np.array(HEAT_COLOURS[-1]) / 255, atol=0.01
    )


def test_the_outline_is_the_inner_border_of_the_region():
    anomaly_map = np.zeros((9, 9))
    anomaly_map[2:7, 2:7] = 0.6  # exactly at the threshold: part of the region
    expected = np.zeros((9, 9), bool)
    expected[2:7, 2:7] = True
    expected[3:6, 3:6] = False
    np.testing.assert_array_equal(
        outline_of(pictures.overlay(grey(9, 9), anomaly_map, SCALE)), expected
    )


def test_the_edge_of_the_image_closes_the_outline():
    drawn = pictures.outlined(pictures.to_image(grey(6, 8)), np.ones((6, 8), bool))
    expected = np.ones((6, 8), bool)
    expected[1:-1, 1:-1] = False
    np.testing.assert_array_equal(outline_of(drawn), expected)


def test_a_region_of_one_pixel_is_outlined():
    mask = np.zeros((5, 5), bool)
    mask[0, 4] = True
    drawn = pictures.outlined(pictures.to_image(grey(5, 5)), mask)
    np.testing.assert_array_equal(outline_of(drawn), mask)


def test_the_outline_of_a_large_image_is_thick_enough_to_survive_shrinking():
    mask = np.zeros((40, 1280), bool)
    mask[10:30, 100:200] = True
    inside = outline_of(pictures.outlined(pictures.to_image(grey(40, 1280)), mask))
    assert inside[:, 150].nonzero()[0].tolist() == [10, 11, 12, 13, 26, 27, 28, 29]


def test_an_outline_leaves_the_picture_it_was_given_alone():
    picture = pictures.to_image(grey(5, 5))
    pictures.outlined(picture, np.ones((5, 5), bool))
    assert not outline_of(picture).any()


def test_no_outline_is_drawn_where_none_is_wanted():
    drawn = pictures.overlay(grey(9, 9), np.full((9, 9), 0.9), SCALE, regions_outline=False)
    assert not outline_of(drawn).any()


def test_a_map_just_below_a_threshold_finer_than_float32_has_no_region():
    highest = np.float32(0.3)
    scale = HeatScale(low=0, threshold=float(np.nextafter(float(highest), 1)))
    assert not scale.regions(np.full((4, 4), highest)).any()


@pytest.mark.parametrize(
    ("low", "threshold"),
    [(0.5, 0.5), (0.6, 0.5), (float("nan"), 1), (0, float("nan")), (0, float("inf"))],
)
def test_a_scale_without_room_between_low_and_threshold_is_refused(low, threshold):
    with pytest.raises(UsageError, match="low below threshold") as caught:
        HeatScale(low, threshold)
    assert str(threshold) in str(caught.value)


def test_a_map_with_nan_is_refused_rather_than_drawn_in_some_colour():
    with pytest.raises(ValueError, match="NaN"):
        pictures.heatmap(np.array([[0, np.nan]]), SCALE)


def test_an_image_becomes_a_picture_by_rounding_and_clipping():
    image = np.array([[[-0.5, 0.0, 0.5], [0.9999, 1.0, 7.0]]], np.float32)
    np.testing.assert_array_equal(
        pixels(pictures.to_image(image)), [[[0, 0, 128], [255, 255, 255]]]
    )


def colours_across(strip):
    """The plain colours met from left to right along the middle, with how long each lasts."""
    row = pixels(strip)[strip.height // 2 + 10]
    runs = [(tuple(colour), len(list(run))) for colour, run in groupby(row.tolist(), key=tuple)]
    return [run for run in runs if run[0] != pictures._PAPER]


def test_panels_stand_side_by_side_in_order_at_one_height_and_undistorted():
    panels = [
        ("a", Image.new("RGB", (100, 50), "red")),
        ("b", Image.new("RGB", (30, 30), "lime")),
        ("c", Image.new("RGB", (300, 600), "blue")),
    ]
    (red, red_px), (green, green_px), (blue, blue_px) = colours_across(
        pictures.side_by_side(panels)
    )
    assert (red, green, blue) == ((255, 0, 0), (0, 255, 0), (0, 0, 255))
    assert (red_px, green_px, blue_px) == (800, 400, 200)


def test_every_panel_has_its_caption_above_it():
    panels = [("left", Image.new("RGB", (50, 50), "red")), ("", Image.new("RGB", (50, 50), "red"))]
    strip = pixels(pictures.side_by_side(panels))
    written = (strip[:40] != pictures._PAPER).any(axis=(0, 2))
    middle = len(written) // 2
    assert written[:middle].any()
    assert not written[middle:].any()


def test_a_caption_wider_than_its_panel_is_not_cut():
    one = pictures.side_by_side([("a rather long caption", Image.new("RGB", (10, 100), "red"))])
    assert one.width > 200
    assert (pixels(one)[:, [0, -1]] == pictures._PAPER).all()


def test_many_wide_panels_still_fit_on_a_screen():
    strip = pictures.side_by_side([("", Image.new("RGB", (1130, 460), "red"))] * 8)
    assert strip.width < 2000
    assert len(colours_across(strip)) == 8


@pytest.mark.parametrize("refined", [None, grey(20, 20, 0.9)])
@pytest.mark.parametrize("depth", [1, 5])
def test_a_strip_shows_input_every_recursion_the_refined_one_and_the_overlay(depth, refined):
    reconstructions = {step: grey(20, 20, 0.1 * step) for step in range(1, depth + 1)}
    strip = pictures.recursion_strip(
        grey(20, 20, 1), reconstructions, refined, np.zeros((20, 20)), SCALE
    )
    shades = [round(colour[0] / 255, 1) for colour, _ in colours_across(strip)]
    steps = [round(0.1 * step, 1) for step in range(1, depth + 1)]
    assert shades == [1.0, *steps, *([] if refined is None else [0.9]), 1.0]


def test_the_last_panel_of_a_strip_carries_the_region(monkeypatch):
    panels = []
    monkeypatch.setattr(pictures, "side_by_side", panels.extend)
    pictures.recursion_strip(
        grey(9, 9), {1: grey(9, 9), 3: grey(9, 9)}, grey(9, 9), np.ones((9, 9)), SCALE
    )
    captions = [caption for caption, _ in panels]
    assert captions == [
        "Input",
        "Recursion 1",
        "Recursion 3",
        "Detail restored",
        "Anomaly overlay",
    ]
    assert [outline_of(picture).any() for _, picture in panels] == [False] * 4 + [True]


def test_a_png_gives_back_the_very_pixels():
    noise = np.random.default_rng(1).integers(0, 256, (13, 17, 3), dtype=np.uint8)
    again = Image.open(io.BytesIO(pictures.png_bytes(Image.fromarray(noise))))
    assert again.format == "PNG"
    np.testing.assert_array_equal(np.asarray(again), noise)


def decoded(uri):
    head, data = uri.split(",")
    assert head == "data:image/jpeg;base64"
    return Image.open(io.BytesIO(base64.b64decode(data, validate=True)))


@pytest.mark.parametrize(
    ("size", "expected"), [((400, 100), (200, 50)), ((100, 400), (50, 200)), ((90, 40), (90, 40))]
)
def test_a_data_uri_shrinks_to_the_side_asked_for_and_never_enlarges(size, expected):
    picture = Image.new("RGB", size, "teal")
    assert decoded(pictures.data_uri(picture, max_side_px=200)).size == expected
    assert picture.size == size


@pytest.mark.parametrize("mode", ["L", "1", "RGBA", "P"])
def test_a_data_uri_takes_any_kind_of_picture(mode):
    assert decoded(pictures.data_uri(Image.new(mode, (8, 8)), 8)).mode == "RGB"


def test_a_thin_line_keeps_its_colour_in_a_data_uri():
    picture = pictures.outlined(pictures.to_image(grey(64, 64)), np.eye(64, dtype=bool))
    drawn = pixels(decoded(pictures.data_uri(picture, 64)))[np.arange(64), np.arange(64)]
    assert np.abs(drawn.astype(int) - REGION_COLOUR).mean() < 40


def test_what_drawing_needs_does_not_grow_with_what_it_computes_for_every_pixel():
    image, anomaly_map = grey(2000, 100), np.full((2000, 100), 0.5, np.float32)
    anomaly_map[500:600, 20:80] = 0.9
    tracemalloc.start()
    pictures.overlay(image, anomaly_map, SCALE)
    most_bytes = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert (
        most_bytes < 20 * anomaly_map.size
    )  # a few bytes for each pixel, not ten numbers of eight
