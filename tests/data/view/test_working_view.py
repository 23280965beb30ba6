import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rcae.data.view.working_view import WorkingView


def grey(*values):
    return np.repeat(np.array(values, np.float32)[:, None, None], 3, axis=2)


def test_a_typical_image_gets_the_area_asked_for():
    view = WorkingView.fit([(1260, 500)] * 5, 256, "keep_aspect")
    height, width = view.size_of(1260, 500)
    assert height * width == pytest.approx(256**2, rel=0.01)
    assert height / width == pytest.approx(1260 / 500, rel=0.01)


def test_small_images_are_not_enlarged():
    assert WorkingView.fit([(100, 120)], 256, "keep_aspect").size_of(100, 120) == (100, 120)


def test_all_images_of_a_model_share_one_scale():
    view = WorkingView.fit([(512, 512), (512, 512), (2000, 2000)], 256, "keep_aspect")
    assert view.size_of(512, 512) == (256, 256)
    assert view.size_of(1024, 256) == (512, 128)


def test_squashed_images_are_square():
    assert WorkingView.fit([(1260, 500)], 256, "squash").size_of(777, 555) == (256, 256)


@given(st.integers(16, 3000), st.integers(16, 3000), st.floats(0.01, 1.0))
def test_a_working_image_has_at_least_one_pixel_and_the_right_shape(height, width, scale):
    working = WorkingView(scale).size_of(height, width)
    assert min(working) >= 1
    assert working[0] == pytest.approx(height * scale, abs=1)


def test_an_image_of_another_exposure_looks_the_same():
    random = np.random.default_rng(0)
    image = random.random((20, 30, 3), dtype=np.float32) * np.float32(0.5)
    view = WorkingView(0.5).exposed_like([image])
    for light in (0.3, 0.9, 1.5):
        np.testing.assert_allclose(view.of(image * np.float32(light)), view.of(image), rtol=1e-5)


def test_the_brightness_is_the_median_of_the_means():
    images = [grey(0.1, 0.3), grey(0.9, 0.9), grey(0.0, 0.8)]
    assert WorkingView(1.0).exposed_like(images).brightness == pytest.approx(0.4)


def test_exposure_is_one_factor_worked_by_hand():
    seen = WorkingView(1.0, brightness=0.4).of(grey(0.1, 0.2, 0.3))
    np.testing.assert_allclose(seen[:, 0, 0], [0.2, 0.4, 0.6], rtol=1e-6)


def test_what_becomes_too_bright_is_cut_off_as_by_a_camera():
    assert WorkingView(1.0, brightness=0.5).of(grey(0.1, 0.1, 0.1, 0.7)).max() == 1.0


def test_a_black_image_is_brightened_no_further_than_four_times():
    view = WorkingView(1.0, brightness=0.4)
    np.testing.assert_allclose(view.of(grey(0.01, 0.01)), 0.04, rtol=1e-6)
    assert view.of(grey(0.0, 0.0)).max() == 0.0


def test_black_training_images_give_a_view_all_the_same():
    view = WorkingView(1.0).exposed_like([grey(0.0, 0.0)])
    assert np.isfinite(view.of(grey(0.0, 0.5))).all()


def test_only_a_view_that_changes_nothing_keeps_the_image():
    assert WorkingView(1.0).keeps_image
    assert not WorkingView(0.5).keeps_image
    assert not WorkingView(1.0, squashed_px=32).keeps_image
    assert not WorkingView(1.0, brightness=0.5).keeps_image
