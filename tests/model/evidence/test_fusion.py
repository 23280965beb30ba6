import numpy as np
import pytest
import torch
from scipy import ndimage
from scipy.stats import iqr
from sklearn.metrics import roc_auc_score

from rcae.model.evidence.evidence import averaged
from rcae.model.evidence.fusion import Fusion, peaks_of

CELL_PX = 4
CELLS_PX = (1, CELL_PX, CELL_PX, 8)
SIZE_PX = (8, 12)
SHAPES = ((8, 12), (2, 3), (2, 3), (1, 2))
"""Of each map for an image of that size."""


def fitted(peaks):
    fusion = Fusion(CELLS_PX)
    fusion.fit(peaks)
    return fusion


def good_peaks():
    random = np.random.default_rng(0)
    return np.stack(
        [random.normal(3 * spread, spread, 99) for spread in (0.1, 7.0, 0.01, 1.0)], axis=1
    )


def usual_maps():
    usual = np.median(good_peaks(), axis=0)
    return [torch.full((1, *shape), level) for shape, level in zip(SHAPES, usual, strict=True)]


def test_the_unit_of_every_map_is_the_spread_of_its_own_peaks():
    fusion, peaks = fitted(good_peaks()), good_peaks()
    torch.testing.assert_close(fusion(usual_maps(), SIZE_PX), torch.zeros(1, *SIZE_PX))
    for kind in range(len(CELLS_PX)):
        maps = usual_maps()
        maps[kind] += 2 * iqr(peaks[:, kind])
        expected = torch.full((1, *SIZE_PX), 2.0)
        torch.testing.assert_close(fusion(maps, SIZE_PX), expected, atol=1e-5, rtol=1e-5)


def test_peaks_that_are_all_equal_are_no_division_by_zero():
    fusion = fitted(np.full((9, len(CELLS_PX)), 0.5))
    maps = [torch.full((1, *shape), 0.6) for shape in SHAPES]
    assert fusion(maps, SIZE_PX).isfinite().all()


def painted_peaks():
    random = np.random.default_rng(1)
    return good_peaks()[:40] + random.normal([0.1, 3.5, 0.02, -2.0], [0.1, 7.0, 0.01, 1.0], (40, 4))


def weighed(good, painted):
    fusion = Fusion(CELLS_PX)
    return fusion.weigh(good, painted), fusion.weight.numpy()


@pytest.mark.parametrize("decimals", [9, 1, 0])  # the fewer, the more ties
def test_the_auroc_of_each_map_is_that_of_scikit_learn(decimals):
    good, painted = (peaks.round(decimals) for peaks in (good_peaks(), painted_peaks()))
    labels = np.repeat([0, 1], [len(good), len(painted)])
    expected = [roc_auc_score(labels, peaks) for peaks in np.concatenate([good, painted]).T]
    np.testing.assert_allclose(weighed(good, painted)[0], expected, rtol=1e-12)


def test_a_map_weighs_by_how_well_it_tells_painted_images_and_the_mean_weight_is_one():
    auroc, weight = weighed(good_peaks(), painted_peaks())
    assert auroc[3] < 0.5 < min(auroc[:3])
    assert weight[3] == 0
    assert weight.mean() == pytest.approx(1)
    trust = auroc[:3] - 0.5
    np.testing.assert_allclose(weight[:3] / weight[0], trust / trust[0], 1e-5)


def test_a_map_that_tells_nothing_weighs_nothing():
    auroc, weight = weighed(good_peaks(), good_peaks() + np.array([0, 1, 1, 1]))
    assert (auroc[0], weight[0]) == (0.5, 0)
    assert (weight[1:] > 0).all()


def test_if_no_map_tells_anything_all_weigh_the_same():
    for painted in (good_peaks(), good_peaks() - 100):
        assert (weighed(good_peaks(), painted)[1] == 1).all()


def test_the_sum_is_weighed():
    fusion, maps = fitted(good_peaks()), usual_maps()
    maps[2] += iqr(good_peaks()[:, 2])
    maps[3] += iqr(good_peaks()[:, 3])
    fusion.weight.copy_(torch.tensor([1.0, 1.0, 2.5, 0.0]))
    expected = torch.full((1, *SIZE_PX), 2.5)
    torch.testing.assert_close(fusion(maps, SIZE_PX), expected, atol=1e-4, rtol=1e-4)


def test_peaks_are_the_largest_values_of_each_map_in_each_image():
    maps = [torch.rand(2, *shape) for shape in SHAPES]
    peaks = peaks_of(maps)
    assert peaks.shape == (2, len(CELLS_PX))
    for image in range(2):
        for kind, one in enumerate(maps):
            assert peaks[image, kind] == one[image].max()


def test_a_cell_stands_for_its_square_of_pixels_and_the_map_runs_from_centre_to_centre():
    maps = [torch.zeros(1, 8, 10), *(torch.zeros(1, *shape) for shape in SHAPES[1:])]
    maps[1][0] = torch.tensor([[1.0, 2.0, 3.0], [5.0, 6.0, 7.0]])
    anomaly_map = Fusion(CELLS_PX)(maps, (8, 10))[0]
    assert anomaly_map.shape == (8, 10)
    # Row 2 has its centre at 2.5 px, an eighth of the way between the centres of both rows of cells, 2 and 6;
    # column 5 at 5.5 px, seven eighths of the way.
    above, below = 1 / 8 * 1.0 + 7 / 8 * 2.0, 1 / 8 * 5.0 + 7 / 8 * 6.0
    torch.testing.assert_close(anomaly_map[2, 5], torch.tensor(7 / 8 * above + 1 / 8 * below))
    assert anomaly_map[0, 0] == 1.0


def test_averaged_maps_are_means_over_the_square_of_the_pixels_that_exist():
    maps = torch.rand(2, 2, 40, 17)
    square = {"size": (1, 1, 5, 5), "mode": "constant"}
    sums = ndimage.uniform_filter(maps.double().numpy(), **square)
    counts = ndimage.uniform_filter(np.ones(maps.shape), **square)
    torch.testing.assert_close(averaged(maps, 5), torch.from_numpy(sums / counts).float())
