import numpy as np
import torch
from scipy.stats import iqr

from rcae.model.weighed_evidence import REGION_WEIGHT, WeighedEvidence


def fitted(peaks):
    weighed = WeighedEvidence()
    weighed.fit(peaks)
    return weighed


def good_peaks():
    random = np.random.default_rng(0)
    return np.stack([random.normal(3 * spread, spread, 99) for spread in (0.1, 7.0, 2.0)], axis=1)


def usual_evidence():
    usual = torch.from_numpy(np.median(good_peaks(), axis=0)).float()
    return usual[None, :, None, None].expand(1, 3, 4, 5).clone()


def test_the_unit_of_every_kind_is_the_spread_of_its_own_peaks():
    weighed, peaks = fitted(good_peaks()), good_peaks()
    for kind, weight in enumerate((1, 1, REGION_WEIGHT)):
        evidence = usual_evidence()
        evidence[0, kind, 1, 2] += 2 * iqr(peaks[:, kind])
        expected = torch.zeros(1, 4, 5)
        expected[0, 1, 2] = 2 * weight
        torch.testing.assert_close(weighed(evidence), expected, atol=1e-5, rtol=1e-5)


def test_a_region_that_is_usual_leaves_the_outline_of_a_small_defect_alone():
    evidence = usual_evidence()
    evidence[0, 2] -= torch.rand(4, 5)
    assert fitted(good_peaks())(evidence).abs().max() < 1e-5


def test_peaks_that_are_all_equal_are_no_division_by_zero():
    weighed = fitted(np.full((9, 3), 0.5))
    assert weighed(torch.full((1, 3, 3, 3), 0.6)).isfinite().all()
