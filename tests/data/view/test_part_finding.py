import numpy as np
import pytest

from rcae.data.view.part_finding import fit_frame
from rcae.data.view.part_pose import cut_array
from rcae.data.view.working_view import WorkingView
from tests.part_images import GROUND, PART, part_image


def in_any_pose(count=20, size_px=(100, 110), **shape):
    random = np.random.default_rng(0)
    return [
        part_image(size_px, random.uniform(35, 65, 2), random.uniform(-np.pi, np.pi), **shape)
        for _ in range(count)
    ]


def with_noise(images, deviation, seed=1):
    random = np.random.default_rng(seed)
    return [
        np.clip(image + random.normal(0, deviation, image.shape), 0, 1).astype(np.float32)
        for image in images
    ]


def test_the_frame_holds_the_whole_part_in_every_pose():
    images = with_noise(in_any_pose(), 0.01)
    frame = fit_frame(images)
    height, width = frame.size_px
    assert 40 < width < 60
    assert 12 < height < 30
    assert frame.ground == pytest.approx(GROUND, abs=0.01)
    for image in images:
        cut, _ = cut_array(frame, image)
        assert (GROUND - cut).sum() == pytest.approx((GROUND - image).sum(), rel=0.1)
        edges = np.concatenate([cut[0], cut[-1], cut[:, 0], cut[:, -1]])
        np.testing.assert_allclose(edges, GROUND, atol=0.1)


def lying_alike(size_px=(120, 130), angle=0.0, jitter_px=2.0, jitter=0.03, count=20):
    random = np.random.default_rng(3)
    return [
        part_image(
            size_px,
            np.array([58, 64]) + random.uniform(-jitter_px, jitter_px, 2),
            angle + random.normal(0, jitter),
        )
        for _ in range(count)
    ]


@pytest.mark.parametrize("angle", [0.0, np.pi / 2, np.pi, -np.pi / 2])
def test_where_parts_always_lie_alike_the_frame_stands_still(angle):
    images = with_noise(lying_alike(angle=angle), 0.01)
    frame = fit_frame(images)
    assert frame.still_at_px == pytest.approx((64, 58), abs=4)
    column, row = frame.still_at_px
    within = np.s_[
        row - frame.above_px : row + frame.below_px,
        column - frame.back_px : column + frame.forth_px,
    ]
    for image in images:
        cut, _ = cut_array(frame, image)
        np.testing.assert_allclose(cut, image[within], atol=1e-4)  # not turned
        assert (GROUND - cut).sum() == pytest.approx((GROUND - image).sum(), rel=0.1)


def test_a_part_that_lies_wrong_is_seen_to_do_so():
    frame = fit_frame(lying_alike())
    assert frame.still_at_px is not None
    usual, shifted, turned, missing = (
        cut_array(frame, part_image((120, 130), *pose))[0]
        for pose in [((58, 64), 0.0), ((58, 70), 0.0), ((58, 64), 0.3), ((-200, 64), 0.0)]
    )
    for wrong in (shifted, turned, missing):
        assert np.abs(wrong - usual).mean() > 0.02


@pytest.mark.parametrize("spread", [{"jitter": 0.5}, {"jitter_px": 16.0}])
def test_where_parts_lie_differently_the_frame_follows_them(spread):
    assert fit_frame(lying_alike(**spread)).still_at_px is None


def test_in_images_of_different_sizes_no_place_is_the_same():
    images = lying_alike()
    images[3] = images[3][:-1]
    assert fit_frame(images).still_at_px is None


def test_a_frame_that_would_leave_out_little_is_left_away():
    assert fit_frame([image[43:73, 34:94] for image in lying_alike()]) is None


def test_ends_that_hardly_differ_are_told_apart_where_they_always_do():
    images = with_noise(in_any_pose(tail=0.85), 0.01)
    frame = fit_frame(images)
    mean_cut = np.mean([cut_array(frame, image)[0] for image in images], axis=0)
    widths_px = (GROUND - mean_cut).mean(axis=2).sum(axis=0) / (GROUND - PART)
    solid_px = widths_px[widths_px > 6]  # thick end first: 12 down to 0.85 of it
    assert solid_px[-10:].mean() == pytest.approx(0.88 * solid_px[:10].mean(), rel=0.04)


def test_a_shadow_is_not_taken_for_the_part():
    shadow = GROUND - (GROUND - PART) / 4
    images = in_any_pose()
    shaded = [
        np.where((image > shadow) & (np.roll(image, 5, axis=0) < 0.5), np.float32(shadow), image)
        for image in images
    ]
    assert fit_frame(shaded).size_px == pytest.approx(fit_frame(images).size_px, abs=3)


def test_dust_is_not_taken_for_parts():
    random = np.random.default_rng(2)
    dusty = in_any_pose()
    for image in dusty:
        for row, column in random.integers(0, 100, (8, 2)):
            image[row, column] = PART
    assert fit_frame(dusty) is not None


def textures():
    return list(np.random.default_rng(0).random((20, 60, 60, 3), dtype=np.float32))


def with_a_small_part_behind():
    one = part_image((100, 130), (50, 35), 0.0)
    return [np.minimum(one, part_image((100, 130), (50, 90), 0.0, length_px=24))] * 20


def about_as_wide_as_long():
    return [np.repeat(part_image((30, 80), (15, 40), 0.0), 3, axis=0)] * 20


NO_FRAME = {
    "textures": textures,
    "plain": lambda: [np.full((50, 50, 3), 0.5, np.float32)] * 20,
    "about as wide as long": about_as_wide_as_long,
    "alike at both ends": lambda: in_any_pose(tail=1.0),
    "alike at both ends but for noise": lambda: with_noise(in_any_pose(tail=1.0), 0.05),
    "cut off by the edge": lambda: [part_image((60, 80), (30, 18), 0.0) for _ in range(20)],
    "more than one part": with_a_small_part_behind,
    "small": lambda: [part_image((150, 160), (70, 80), 0.3, length_px=24)] * 20,
    "nearly all part": lambda: [part_image((56, 170), (28, 85), 0.0, length_px=160)] * 20,
    "faint": lambda: in_any_pose(ground=PART + 0.03),
}


@pytest.mark.parametrize("images", NO_FRAME.values(), ids=NO_FRAME)
def test_other_images_keep_the_view_of_the_camera(images):
    assert fit_frame(images()) is None


@pytest.mark.parametrize(("exceptions", "is_framed"), [(2, True), (3, False)])
def test_one_image_in_ten_may_be_an_exception(exceptions, is_framed):
    empty = [np.full((100, 110, 3), GROUND, np.float32)] * exceptions
    assert (fit_frame(in_any_pose(20 - exceptions) + empty) is not None) == is_framed


def test_a_brighter_part_before_a_dark_ground_is_framed_as_well():
    inverted = [1 - image for image in in_any_pose()]
    assert fit_frame(inverted).size_px == fit_frame(in_any_pose()).size_px


def test_the_view_cuts_images_and_knows_the_way_back():
    images = in_any_pose()
    view = WorkingView(0.5).exposed_like(images).framed_by(images)
    seen = view.see(images[0])
    assert seen.image.shape == (*view.frame.size_px, 3)
    assert seen.whole.shape == (50, 55, 3)
    assert view.seen_size_of(100, 110) == view.frame.size_px
    assert view.size_of(100, 110) == (50, 55)
    assert not view.keeps_image
    drawn = seen.image.mean(axis=2)
    np.testing.assert_allclose(seen.on_whole(seen.image, seen.whole), seen.whole, atol=0.2)
    placed = seen.on_whole(drawn)
    assert placed.shape == (50, 55)
    assert placed[0, 0] == drawn.min()


def test_without_a_part_the_view_stays_as_it_was():
    images = textures()
    view = WorkingView(1.0).exposed_like(images)
    assert view.framed_by(images) == view
    seen = view.see(images[0])
    assert seen.image is seen.whole
    assert seen.on_whole(seen.image) is seen.image
