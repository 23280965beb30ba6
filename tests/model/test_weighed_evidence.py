import numpy as np
import torch
from scipy.stats import iqr

from rcae.model.weighed_evidence import WeighedEvidence


def fitted(peaks):
    weighed = WeighedEvidence()
    weighed.fit(peaks)
    return weighed


def good_peaks():
    random = np.random.default_rng(0)
    return np.stack([random.normal(3 * spread, spread, 99) for spread in (0.1, 7.0)], axis=1)


def usual_evidence():
    usual = torch.from_numpy(np.median(good_peaks(), axis=0)).float()
    return usual[None, :, None, None].expand(1, 2, 4, 5).clone()


def test_the_unit_of_every_kind_is_the_spread_of_its_own_peaks():
    weighed, peaks = fitted(good_peaks()), good_peaks()
    for kind in range(2):
        evidence = usual_evidence()
        evidence[0, kind, 1, 2] += 2 * iqr(peaks[:, kind])
        expected = torch.zeros(1, 4, 5)
        expected[0, 1, 2] = 2
        torch.testing.assert_close(weighed(evidence), expected, atol=1e-5, rtol=1e-5)


def test_peaks_that_are_all_equal_are_no_division_by_zero():
    weighed = fitted(np.full((9, 2), 0.5))
    assert weighed(torch.full((1, 2, 3, 3), 0.6)).isfinite().all()
