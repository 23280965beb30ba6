import numpy as np
import torch
from scipy import ndimage
from scipy.stats import iqr

from rcae.model.weighed_evidence import KINDS, WIDE_PX, WeighedEvidence, widened


def fitted(peaks):
    weighed = WeighedEvidence()
    weighed.fit(peaks)
    return weighed


def good_peaks():
    random = np.random.default_rng(0)
    return np.stack(
        [random.normal(3 * spread, spread, 99) for spread in (0.1, 7.0, 0.01, 1.0)], axis=1
    )


def usual_evidence():
    usual = torch.from_numpy(np.median(good_peaks(), axis=0)).float()
    return usual[None, :, None, None].expand(1, KINDS, 4, 5).clone()


def test_the_unit_of_every_kind_is_the_spread_of_its_own_peaks():
    weighed, peaks = fitted(good_peaks()), good_peaks()
    for kind in range(KINDS):
        evidence = usual_evidence()
        evidence[0, kind, 1, 2] += 2 * iqr(peaks[:, kind])
        expected = torch.zeros(1, 4, 5)
        expected[0, 1, 2] = 2
        torch.testing.assert_close(weighed(evidence), expected, atol=1e-5, rtol=1e-5)


def test_peaks_that_are_all_equal_are_no_division_by_zero():
    weighed = fitted(np.full((9, KINDS), 0.5))
    assert weighed(torch.full((1, KINDS, 3, 3), 0.6)).isfinite().all()


def test_widened_evidence_is_the_mean_over_the_square_of_the_pixels_that_exist():
    evidence = torch.rand(2, 2, 40, 17)
    square = {"size": (1, 1, WIDE_PX, WIDE_PX), "mode": "constant"}
    sums = ndimage.uniform_filter(evidence.double().numpy(), **square)
    counts = ndimage.uniform_filter(np.ones(evidence.shape), **square)
    torch.testing.assert_close(widened(evidence), torch.from_numpy(sums / counts).float())


def test_a_speck_with_a_higher_peak_counts_less_than_a_spot():
    evidence = torch.zeros(1, 1, 64, 128)
    evidence[0, 0, 31:34, 31:34] = 1.0
    evidence[0, 0, 24:40, 88:104] = 0.8
    both = torch.cat([evidence, widened(evidence)], dim=1)
    speck, spot = (part.amax(dim=(0, 2, 3)) for part in both.split(64, dim=3))
    assert speck[0] > spot[0]
    assert speck[1] < 0.1 * spot[1]
