import numpy as np
import pytest
import torch

from rcae.data.view.part_frame import PartFrame
from rcae.data.view.part_pose import (
    as_batch,
    cut_array,
    cut_to_part,
    find_part,
    foreground,
    moments,
    put_array_back,
    put_back,
)
from tests.part_images import GROUND, part_image

FRAME = PartFrame(GROUND, 0.1, back_px=28, forth_px=30, above_px=12, below_px=14)
ANGLES = np.linspace(-3.1, 3.1, 12)


def batch_of(*images):
    return torch.cat([as_batch(image) for image in images])


@pytest.mark.parametrize("angle", ANGLES)
def test_the_axis_points_to_the_thin_end_from_the_centre_of_mass(angle):
    pose = find_part(FRAME, batch_of(part_image((90, 120), (44, 63), angle)))
    np.testing.assert_allclose(pose.axis[0], [np.cos(angle), np.sin(angle)], atol=0.02)
    # A wedge's centre of mass lies nearer to its thick end: at (1 + 2 r) / (3 (1 + r)) of its length.
    ahead_px = 40 * ((1 + 2 * 0.5) / (3 * (1 + 0.5)) - 0.5)
    expected = [63 + ahead_px * np.cos(angle), 44 + ahead_px * np.sin(angle)]
    np.testing.assert_allclose(pose.centre[0], expected, atol=0.6)


def test_moments_worked_by_hand():
    mass = torch.zeros(1, 10, 20)
    mass[0, 4, 2:6] = 1  # columns 2 to 5 of one row, and one more far behind
    mass[0, 4, 15] = 1
    of = moments(mass)
    np.testing.assert_allclose(of.pose.centre[0], [29 / 5, 4], rtol=1e-5)
    np.testing.assert_allclose(of.pose.axis[0], [1, 0], atol=1e-6)
    assert of.share[0] == pytest.approx(5 / 200)
    of_mirrored = moments(mass.flip(2))
    np.testing.assert_allclose(of_mirrored.pose.centre[0], [19 - 29 / 5, 4], rtol=1e-5)
    np.testing.assert_allclose(of_mirrored.pose.axis[0], [-1, 0], atol=1e-6)


def test_elongation_is_the_ratio_of_the_deviations():
    mass = torch.zeros(1, 40, 60)
    mass[0, 10:20, 10:50] = 1  # 10 by 40 pixels
    expected = np.sqrt((40**2 - 1) / (10**2 - 1))
    assert moments(mass).elongation[0] == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("angle", ANGLES)
def test_a_part_looks_the_same_in_its_frame_wherever_it_lies(angle):
    upright, _ = cut_array(FRAME, part_image((90, 120), (45, 60), 0.0))
    turned, _ = cut_array(FRAME, part_image((130, 100), (66, 52), angle))
    assert upright.shape == turned.shape == (*FRAME.size_px, 3)
    assert np.abs(upright - turned).mean() < 0.01
    assert np.abs(upright - turned).max() < 0.25  # along its outline, between pixels


def test_a_part_in_the_frames_pose_is_cut_as_it_is():
    image = part_image((90, 120), (45, 60), 0.0)
    pose = find_part(FRAME, batch_of(image))
    column, row = (float(value) for value in pose.centre[0])
    cut = cut_to_part(FRAME, batch_of(image), pose)[0, 0].numpy()
    top, left = round(row) - FRAME.above_px, round(column) - FRAME.back_px
    expected = image[top : top + FRAME.size_px[0], left : left + FRAME.size_px[1], 0]
    assert np.abs(cut - expected).mean() < 0.01


@pytest.mark.parametrize("angle", ANGLES)
def test_what_was_drawn_of_the_frame_comes_back_to_its_place(angle):
    image = part_image((90, 120), (40, 63), angle)
    cut, pose = cut_array(FRAME, image)
    elsewhere = np.full_like(image, -1.0)
    back = put_array_back(FRAME, cut, pose, elsewhere)
    reached = back[..., 0] >= 0
    assert reached[foreground(batch_of(image), GROUND, 0.1)[0].numpy() > 0].all()
    # Faded in over a pixel: 0 is reached where a share of 1 / (1 + GROUND) is the frame's.
    height, width = np.array(FRAME.size_px) - 1 - 2 / (1 + GROUND)
    assert reached.sum() == pytest.approx(height * width, rel=0.02)
    assert (back[0, 0] == -1.0).all()
    whole = back[..., 0] > GROUND - 0.05
    assert np.abs(back - image)[whole].mean() < 0.01


def test_a_pose_that_differs_in_its_last_digit_moves_nothing():
    image = part_image((90, 120), (40, 63), 0.4)
    cut, pose = cut_array(FRAME, image)
    elsewhere = np.full_like(image, -100.0)
    nearly = pose._replace(centre=pose.centre * (1 + 1e-6))
    moved = put_array_back(FRAME, cut, nearly, elsewhere) - put_array_back(
        FRAME, cut, pose, elsewhere
    )
    assert np.abs(moved).max() < 0.05


def test_each_image_of_a_batch_has_its_own_pose():
    images = [
        part_image((80, 100), centre, angle) for centre, angle in [((40, 50), 0.4), ((35, 60), 3.0)]
    ]
    together = batch_of(*images)
    pose = find_part(FRAME, together)
    cut = cut_to_part(FRAME, together, pose)
    back = put_back(FRAME, cut, pose, together)
    for number, image in enumerate(images):
        alone, its_pose = cut_array(FRAME, image)
        np.testing.assert_allclose(cut[number].permute(1, 2, 0), alone, atol=1e-5)
        np.testing.assert_allclose(
            back[number].permute(1, 2, 0), put_array_back(FRAME, alone, its_pose, image), atol=1e-5
        )


def test_a_map_of_one_plane_is_put_back_as_one_plane():
    image = part_image((80, 100), (40, 50), 1.0)
    _, pose = cut_array(FRAME, image)
    drawn = np.ones(FRAME.size_px, np.float32)
    back = put_array_back(FRAME, drawn, pose, np.zeros(image.shape[:2], np.float32))
    assert back.shape == (80, 100)
    assert back[40, 50] == 1.0
    assert back[0, 0] == 0.0


def test_beyond_the_edge_of_an_image_lies_its_edge():
    image = part_image((60, 60), (30, 8), 0.0)
    cut, _ = cut_array(FRAME, image)
    np.testing.assert_allclose(cut[0], np.broadcast_to(cut[0, 0], cut[0].shape), atol=1e-6)
    assert np.isfinite(cut).all()


@pytest.mark.parametrize("grey", [GROUND, 0.0], ids=["no part", "nothing but part"])
def test_an_image_without_a_pose_gives_numbers(grey):
    cut, pose = cut_array(FRAME, np.full((50, 70, 3), grey, np.float32))
    assert np.isfinite(cut).all()
    assert all(torch.isfinite(values).all() for values in pose)


def test_the_foreground_rises_from_the_contrast_to_twice_of_it():
    greys = [0.8, 0.7, 0.65, 0.6, 0.1, 0.95]
    images = [np.full((7, 9, 3), grey, np.float32) for grey in greys]
    # Of 0, 0, 0.5, 1, 1 and 0.5 all around, what is more than a half, twice.
    expected = [0, 0, 0, 1, 1, 0]
    np.testing.assert_allclose(
        foreground(batch_of(*images), 0.8, 0.1)[:, 3, 4], expected, atol=1e-5
    )


def test_dust_does_not_turn_the_part():
    image = part_image((100, 120), (50, 60), 0.7)
    dusty = image.copy()
    for row, column in [(3, 4), (4, 110), (90, 8), (95, 100), (50, 3)]:
        dusty[row : row + 3, column : column + 4] = 0.0
    for clean, with_dust in zip(
        find_part(FRAME, batch_of(image)), find_part(FRAME, batch_of(dusty)), strict=True
    ):
        np.testing.assert_allclose(with_dust, clean, atol=1e-4)
