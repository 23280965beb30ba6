import numpy as np
import torch
from scipy import ndimage
from scipy.stats import iqr

from rcae.model.evidence.weighed_evidence import KINDS, WIDE_PX, Evidence, WeighedEvidence, averaged

CELL_PX = 4


def fitted(peaks):
    weighed = WeighedEvidence(CELL_PX)
    weighed.fit(peaks)
    return weighed


def good_peaks():
    random = np.random.default_rng(0)
    return np.stack(
        [random.normal(3 * spread, spread, 99) for spread in (0.1, 7.0, 0.01, 1.0)], axis=1
    )


def usual_evidence():
    usual = torch.from_numpy(np.median(good_peaks(), axis=0)).float()
    cells = usual[None, 1:, None, None].expand(1, KINDS - 1, 2, 3).clone()
    return Evidence(usual[0].expand(1, 8, 12).clone(), cells)


def gathered(drawn, distance):
    """Of images of whole cells, so that nothing lies beyond them."""
    return WeighedEvidence(CELL_PX).gather(drawn, drawn, distance)


def test_the_unit_of_every_kind_is_the_spread_of_its_own_peaks():
    weighed, peaks = fitted(good_peaks()), good_peaks()
    torch.testing.assert_close(weighed(usual_evidence()), torch.zeros(1, 8, 12))
    for kind in range(KINDS):
        evidence = usual_evidence()
        raised = evidence.drawn if kind == 0 else evidence.cells[:, kind - 1]
        raised += 2 * iqr(peaks[:, kind])
        expected = torch.full((1, 8, 12), 2.0)
        torch.testing.assert_close(weighed(evidence), expected, atol=1e-5, rtol=1e-5)


def test_peaks_that_are_all_equal_are_no_division_by_zero():
    weighed = fitted(np.full((9, KINDS), 0.5))
    evidence = Evidence(torch.full((1, 8, 12), 0.6), torch.full((1, KINDS - 1, 2, 3), 0.6))
    assert weighed(evidence).isfinite().all()


def test_peaks_are_the_largest_values_of_each_kind_in_each_image():
    evidence = Evidence(torch.rand(2, 8, 12), torch.rand(2, KINDS - 1, 2, 3))
    peaks = evidence.peaks()
    assert peaks.shape == (2, KINDS)
    for image in range(2):
        assert peaks[image, 0] == evidence.drawn[image].max()
        for kind in range(1, KINDS):
            assert peaks[image, kind] == evidence.cells[image, kind - 1].max()


def test_a_cell_stands_for_its_square_of_pixels_and_the_map_runs_from_centre_to_centre():
    evidence = Evidence(torch.zeros(1, 8, 10), torch.zeros(1, KINDS - 1, 2, 3))
    evidence.cells[0, 1] = torch.tensor([[1.0, 2.0, 3.0], [5.0, 6.0, 7.0]])
    anomaly_map = WeighedEvidence(CELL_PX)(evidence)[0]
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


def test_wide_evidence_is_the_mean_of_what_was_drawn_and_of_the_distance_over_20_px():
    drawn, distance = torch.rand(1, 40, 48), torch.rand(1, 10, 12)
    near, drawn_wide, distance_wide = gathered(drawn, distance).cells[0]
    assert torch.equal(near, distance[0])
    assert WIDE_PX == 5 * CELL_PX
    torch.testing.assert_close(drawn_wide[4, 6], drawn[0, 8:28, 16:36].mean())
    torch.testing.assert_close(distance_wide[4, 6], distance[0, 2:7, 4:9].mean())
    torch.testing.assert_close(drawn_wide[0, 0], drawn[0, :12, :12].mean())
    torch.testing.assert_close(distance_wide[9, 11], distance[0, 7:, 9:].mean())


def test_what_was_drawn_beyond_the_last_cell_of_the_image_counts_nothing():
    drawn = torch.zeros(1, 24, 24)
    drawn[:, 20:] = drawn[:, :, 20:] = 1.0
    evidence = WeighedEvidence(CELL_PX).gather(drawn[:, :19, :20], drawn, torch.zeros(1, 5, 5))
    assert evidence.cells.shape == (1, KINDS - 1, 5, 5)
    assert not evidence.cells.any()


def test_a_speck_with_a_higher_peak_counts_less_than_a_spot():
    drawn = torch.zeros(1, 64, 128)
    drawn[0, 31:34, 31:34] = 1.0
    drawn[0, 24:40, 88:104] = 0.8
    evidence = gathered(drawn, torch.zeros(1, 16, 32))
    speck, spot = (part.max() for part in evidence.drawn[0].split(64, dim=1))
    assert speck > spot
    speck, spot = (part.max() for part in evidence.cells[0, 1].split(16, dim=1))
    assert speck < 0.1 * spot
