import numpy as np
import pytest
import torch

from rcae.base.settings import load_settings
from rcae.data.view.working_view import Seen
from rcae.detector.runners.torch_maps import explain
from rcae.model import tiles as tiling
from rcae.model.system import RcaeSystem
from rcae.model.tiles import blended, drawn_pixels, drawn_together, tiles
from tests.conftest import TINY
from tests.good_evidence import fit_on


@pytest.mark.parametrize("size", [(1, 1), (1024, 1024), (1025, 700), (1793, 3000), (2560, 1279)])
def test_the_weights_of_all_tiles_sum_to_one_at_every_pixel(size):
    total = np.zeros(size, dtype=np.float32)
    for tile in tiles(*size):
        assert tile.weight.shape == total[tile.rows, tile.columns].shape
        assert max(tile.weight.shape) <= tiling.TILE_PX
        total[tile.rows, tile.columns] += tile.weight
    np.testing.assert_allclose(total, 1, atol=1e-6)


@pytest.mark.parametrize("size", [(1, 1), (1024, 1024), (1025, 700), (2560, 1279)])
def test_the_pixels_to_draw_are_those_of_all_tiles(size):
    assert drawn_pixels(*size) == sum(tile.weight.size for tile in tiles(*size))


def test_a_small_image_is_one_tile_of_weight_one():
    (tile,) = tiles(1024, 30)
    assert (tile.weight == 1).all()


def test_tiles_begin_where_the_grid_of_the_recursion_does():
    for tile in tiles(5000, 5000):
        assert tile.rows.start % 256 == tile.columns.start % 256 == 0


def test_a_tile_counts_nothing_near_its_edges_within_the_image():
    """Its map is wrong there."""
    near = tiling.MARGIN_PX
    for tile in tiles(3000, 1000):
        if tile.rows.start > 0:
            assert tile.weight[:near].max() == 0
        if tile.rows.stop < 3000:
            assert tile.weight[-near:].max() == 0
        assert (tile.weight == tile.weight[:, :1]).all()  # the other side is no edge within


def test_blending_what_does_not_depend_on_its_surroundings_changes_nothing():
    image = np.random.default_rng(0).random((1500, 1100, 3), dtype=np.float32)
    image = image.transpose(2, 0, 1)
    for pixels in (image, torch.from_numpy(image)):
        grey, doubled = blended(pixels, lambda part: (part.mean(0), 2 * part))
        np.testing.assert_allclose(grey, image.mean(axis=0), atol=1e-6)
        np.testing.assert_allclose(doubled, 2 * image, atol=1e-6)


@pytest.fixture
def small_tiles(monkeypatch):
    monkeypatch.setattr(tiling, "TILE_PX", 256)
    monkeypatch.setattr(tiling, "OVERLAP_PX", 128)
    monkeypatch.setattr(tiling, "MARGIN_PX", 48)


def test_a_tiled_map_equals_the_whole_one_where_no_network_sees_a_tiles_edge(
    small_tiles, monkeypatch
):
    torch.manual_seed(0)
    system = RcaeSystem(load_settings("scratch", values=TINY).model).eval()
    image = np.random.default_rng(0).random((300, 520, 3), dtype=np.float32)
    with torch.no_grad():
        whole = torch.from_numpy(image).permute(2, 0, 1)[None]
        fit_on(system, *[torch.rand(1, 3, 300, 520) for _ in range(5)])
        tiled = system(whole)[0].numpy()
    seen = explain(system, Seen(image, image))
    with monkeypatch.context() as without_margins, torch.no_grad():
        without_margins.setattr(tiling, "MARGIN_PX", 0)
        seamed = system(whole)[0].numpy()
    monkeypatch.setattr(tiling, "TILE_PX", 1024)
    expected = explain(system, Seen(image, image))
    system.is_tiled = False
    with torch.no_grad():
        np.testing.assert_array_equal(system(whole)[0].numpy(), expected.anomaly_map)
    assert np.ptp(expected.anomaly_map) > 0.1
    assert np.abs(seamed - expected.anomaly_map).max() > 0.05
    np.testing.assert_allclose(tiled, expected.anomaly_map, atol=1e-4)
    np.testing.assert_allclose(seen.anomaly_map, expected.anomaly_map, atol=1e-4)
    np.testing.assert_allclose(seen.restored, expected.restored, atol=1e-4)
    for step, reconstruction in expected.reconstructions.items():
        np.testing.assert_allclose(seen.reconstructions[step], reconstruction, atol=1e-4)


@pytest.mark.parametrize(
    ("height", "width", "expected"),
    [
        (512, 512, [4, 1]),
        (128, 1024, [5]),
        (128, 1025, [1] * 5),
        (1025, 8, [1] * 5),
        (2000, 2000, [1] * 5),
    ],
)
def test_images_are_drawn_together_up_to_the_area_of_a_tile_and_alone_where_cut(
    height, width, expected
):
    assert [len(range(5)[part]) for part in drawn_together(5, height, width)] == expected
