import numpy as np
import pytest
import torch
from scipy.stats import iqr

from rcae.model.evidence.thumbnail_distance import (
    CALMEST,
    LEAST_DEVIATION,
    LEAST_SPREAD,
    SIDE_PX,
    ThumbnailDistance,
    raised,
    thumbnails,
)


def good_thumbnails(count=40):
    random = np.random.default_rng(0)
    place = random.uniform(0.2, 0.8, (3, SIDE_PX, SIDE_PX))
    light = random.normal(0, 0.05, (count, 1, 1, 1))  # differs from image to image
    values = place + light + random.normal(0, 0.05, (count, 3, SIDE_PX, SIDE_PX))
    return torch.from_numpy(values).float()


def fitted(good):
    distance = ThumbnailDistance()
    distance.fit(good)
    return distance


@pytest.mark.parametrize("size", [(16, 16), (64, 48), (37, 101), (9, 20)])
def test_a_thumbnail_is_the_mean_of_each_parts_area(size):
    image = np.random.default_rng(0).random((3, *size)).astype(np.float32)
    # Every pixel as a block of 16 x 16: the parts of a side then end between whole pixels.
    large = np.kron(image, np.ones((1, SIDE_PX, SIDE_PX)))
    parts = large.reshape(3, SIDE_PX, size[0], SIDE_PX, size[1]).mean(axis=(2, 4))
    torch.testing.assert_close(
        thumbnails(torch.from_numpy(image)[None])[0], torch.from_numpy(parts).float()
    )


def test_the_distance_of_a_good_image_is_measured_by_all_others():
    good = good_thumbnails(7)
    values = good.double().numpy()
    alone = []
    for number in range(7):
        others = np.delete(values, number, axis=0)
        deviation = np.sqrt(others.var(axis=0) + LEAST_DEVIATION**2)
        alone.append((np.abs(values[number] - others.mean(axis=0)) / deviation).mean())
    distance = fitted(good)
    assert distance.usual.item() == pytest.approx(np.median(alone), rel=1e-4)
    assert distance.spread.item() == pytest.approx(max(iqr(alone), LEAST_SPREAD), rel=1e-4)


def test_the_distance_is_in_units_of_what_good_images_have():
    good = good_thumbnails()
    distance = fitted(good)
    mean, deviation = distance.mean.double(), distance.deviation.double()
    for many in (1.0, 3.0):  # standard deviations away, at every place
        image = (mean + many * deviation).float()[None]
        expected = (many - distance.usual.item()) / distance.spread.item()
        assert distance(image).item() == pytest.approx(expected, rel=1e-3)


def test_what_is_a_little_wrong_everywhere_is_far_and_what_is_wrong_in_one_place_is_not():
    distance, good = fitted(good_thumbnails()), good_thumbnails()[:1]
    sloping, speck = good + torch.linspace(-0.2, 0.2, SIDE_PX), good.clone()
    speck[:, :, 5, 5] = 0
    usual, everywhere, somewhere = (distance(image).item() for image in (good, sloping, speck))
    assert everywhere > usual + 2
    assert abs(somewhere - usual) < 0.2


def test_images_that_are_all_the_same_are_no_division_by_zero():
    distance = fitted(good_thumbnails(1).expand(5, -1, -1, -1))
    assert distance(torch.rand(2, 3, 40, 30)).isfinite().all()


def test_the_peak_rises_by_the_distance_and_the_least_value_stays():
    drawn = torch.rand(3, 8, 9) * 20 - 10
    distance = torch.tensor([2.0, 0.0, -1.0])
    lifted = raised(drawn, distance)
    torch.testing.assert_close(lifted.amin(dim=(1, 2)), drawn.amin(dim=(1, 2)))
    torch.testing.assert_close(lifted.amax(dim=(1, 2)), drawn.amax(dim=(1, 2)) + distance)
    torch.testing.assert_close(lifted[1], drawn[1])


def test_a_map_calmer_than_good_images_have_makes_up_for_nothing():
    peaks = (-20.0, CALMEST - 1, CALMEST, CALMEST + 1)
    drawn = torch.stack([torch.linspace(-30, peak, 12).view(3, 4) for peak in peaks])
    lifted = raised(drawn, torch.tensor([18.0, 2.0, 2.0, 2.0]))
    expected = torch.tensor([CALMEST + 18, CALMEST + 2, CALMEST + 2, CALMEST + 3])
    torch.testing.assert_close(lifted.amax(dim=(1, 2)), expected)
    torch.testing.assert_close(lifted.amin(dim=(1, 2)), torch.full((4,), -30.0))


def test_a_map_is_never_turned_upside_down_nor_made_infinite():
    drawn = torch.linspace(0, 1, 12).view(1, 3, 4)
    assert (raised(drawn, torch.tensor([-99.0])) == 0).all()
    assert raised(torch.zeros(1, 3, 4), torch.tensor([1e6])).isfinite().all()
