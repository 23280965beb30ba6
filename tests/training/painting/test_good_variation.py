import numpy as np
import pytest

from rcae.training.painting.good_variation import CONTRAST, LIGHT, NOISE, varied

FLAT = np.full((64, 64, 3), 0.5, np.float32)


@pytest.fixture
def window():
    """Each quarter has a grey of its own, so that a mirrored one can be told."""
    greys = np.array([[0.2, 0.4], [0.6, 0.8]], np.float32)
    return np.repeat(np.kron(greys, np.ones((16, 24), np.float32))[..., None], 3, axis=2)


def several(window, count=400, *, mirrored=True):
    return [varied(window, np.random.default_rng(seed), mirrored=mirrored) for seed in range(count)]


def test_a_window_stays_an_image_of_its_size_and_the_one_given_is_left_alone(window):
    window[0, 0], window[0, 1] = 0, 1
    before = window.copy()
    for other in several(window, 40):
        assert other.shape == window.shape
        assert other.dtype == np.float32
        assert 0 <= other.min() <= other.max() <= 1
    np.testing.assert_array_equal(window, before)


def test_the_same_draws_vary_it_the_same_way(window):
    np.testing.assert_array_equal(several(window, 8), several(window, 8))


def test_it_is_mirrored_either_way_or_both(window):
    quarters = (other[4::16, 4::24, 0].argmax() for other in several(window, 40))
    assert set(quarters) == {0, 1, 2, 3}


def test_a_part_in_one_pose_stays_in_it(window):
    in_one_pose = several(window, 40, mirrored=False)
    assert {other[4::16, 4::24, 0].argmax() for other in in_one_pose} == {3}
    assert len({other.mean().item() for other in in_one_pose}) == 40


def test_light_contrast_and_noise_use_their_ranges_and_stay_within(window):
    lights = [other.mean() / 0.5 for other in several(FLAT)]
    np.testing.assert_allclose((min(lights), max(lights)), LIGHT, atol=0.01)
    halves = [other[:16].mean() - other[16:].mean() for other in several(window)]
    contrasts = np.abs(halves) / 0.4
    np.testing.assert_allclose((min(contrasts), max(contrasts)), CONTRAST, atol=0.03)
    noise = np.array([other.std() for other in several(FLAT)])
    assert 0.4 < np.mean(noise > 1e-5) < 0.6
    np.testing.assert_allclose(noise.max(), NOISE[1], rtol=0.1)


def test_a_quarter_is_out_of_focus_by_less_than_a_pixel(window):
    # Sharp, one row alone divides two greys.
    steps = [np.abs(np.diff(other.mean(axis=(1, 2)))) for other in several(window)]
    in_one_row = np.array([step.max() / step[10:20].sum() for step in steps])
    assert 0.1 < np.mean(in_one_row < 0.95) < 0.3
    assert in_one_row.min() > 0.3
