import numpy as np
import torch
from sklearn.neighbors import NearestNeighbors

from rcae.model.evidence.coreset import NEIGHBOURS, coreset, radii


def drawn(count, channels, seed=0):
    return torch.randn(count, channels, generator=torch.Generator().manual_seed(seed))


def covering_radius(points, chosen):
    return torch.cdist(points, points[chosen]).min(dim=1).values.max().item()


def test_a_lonely_point_is_chosen_before_a_second_one_of_a_crowd():
    crowd = 0.01 * drawn(500, 8)
    lonely = torch.eye(8) * 50
    chosen = coreset(torch.cat([crowd, lonely]), 9)
    assert sorted(chosen.tolist()) == [0, *range(500, 508)]


def test_no_point_is_chosen_twice_while_others_remain():
    points = drawn(300, 5)
    assert len(set(coreset(points, 300).tolist())) == 300


def test_the_coreset_leaves_no_point_as_far_away_as_a_random_sample_does():
    points = drawn(4000, 6) ** 3
    greedy, random = coreset(points, 200), torch.arange(200)
    assert covering_radius(points, greedy) < 0.6 * covering_radius(points, random)


def test_the_choice_is_that_of_a_brute_force_search_where_directions_keep_distances_apart():
    points = torch.tensor([[0.0, 0.0], [0.0, 1.0], [10.0, 0.0], [100.0, 0.0], [0.0, 300.0]])
    assert coreset(points, 4).tolist() == [0, 4, 3, 2]


def test_equal_points_are_a_coreset_of_themselves():
    assert len(coreset(torch.ones(20, 3), 7)) == 7


def test_the_radius_is_the_mean_distance_to_the_nearest_others_as_scikit_learn_finds_them():
    points = drawn(200, 10)
    distances, _ = NearestNeighbors(n_neighbors=NEIGHBOURS + 1).fit(points.numpy()).kneighbors()
    expected = np.sort(distances, axis=1)[:, :NEIGHBOURS].mean(axis=1)
    np.testing.assert_allclose(radii(points).numpy(), expected, rtol=1e-3)


def test_fewer_points_than_neighbours_count_all_others_and_one_alone_has_radius_zero():
    points = torch.tensor([[0.0, 0.0], [3.0, 4.0], [6.0, 8.0]])
    torch.testing.assert_close(radii(points), torch.tensor([7.5, 5.0, 7.5]))
    assert radii(points[:1]).tolist() == [0.0]
