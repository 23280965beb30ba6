import numpy as np
import torch
from scipy.stats import iqr

from rcae.model.strongest_evidence import StrongestEvidence


def fitted(peaks):
    strongest = StrongestEvidence(peaks.shape[1])
    strongest.fit(peaks.tolist())
    return strongest


def peaks_of(*spreads):
    random = np.random.default_rng(0)
    return np.stack([random.normal(3 * spread, spread, 99) for spread in spreads], axis=1)


def test_the_unit_of_every_kind_is_the_spread_of_its_own_peaks():
    peaks = peaks_of(0.1, 7.0)
    strongest = fitted(peaks)
    for kind in range(2):
        evidence = torch.full((1, 2, 1, 1), -100.0)
        evidence[0, kind] = np.median(peaks[:, kind]) + 2 * iqr(peaks[:, kind])
        torch.testing.assert_close(strongest(evidence), torch.full((1, 1, 1), 2.0))


def test_what_one_kind_sees_is_not_drowned_by_the_others():
    peaks = peaks_of(0.1, 7.0, 2.0)
    usual = torch.from_numpy(np.median(peaks, axis=0)).float()[None, :, None, None]
    evidence = usual.expand(1, 3, 4, 4).clone()
    evidence[0, 0, 1, 2] += 1.0
    seen = fitted(peaks)(evidence)[0]
    assert seen.argmax() == 1 * 4 + 2
    assert seen[1, 2] > 5
    assert seen[0, 0] == 0


def test_peaks_that_are_all_equal_are_no_division_by_zero():
    strongest = fitted(np.full((9, 2), 0.5))
    assert strongest(torch.full((1, 2, 3, 3), 0.6)).isfinite().all()
