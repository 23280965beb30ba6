"""A category whose images show one part in any pose, from training to the map."""

import numpy as np
import pytest
from PIL import Image

import rcae
from rcae.detector.run.checkpoint import load_model
from rcae.detector.run.run_folder import RunFolder
from tests.conftest import TINY
from tests.part_images import part_image

SETTINGS = [*TINY, "image.size_px=128"]
SIZE_PX = (100, 110)


def in_pose(centre_px, angle, random):
    image = part_image(SIZE_PX, centre_px, angle) + random.normal(0, 0.01, (*SIZE_PX, 3))
    return (np.clip(image, 0, 1) * 255).round().astype(np.uint8)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    root = tmp_path_factory.mktemp("framed")
    (root / "data" / "train" / "good").mkdir(parents=True)
    random = np.random.default_rng(0)
    for number in range(20):
        pixels = in_pose(random.uniform(35, 65, 2), random.uniform(-3, 3), random)
        Image.fromarray(pixels).save(root / "data" / "train" / "good" / f"{number:02d}.png")
    rcae.train(root / "data", root / "run", set=SETTINGS)
    return root / "run"


@pytest.fixture
def image():
    return in_pose((50, 52), 0.6, np.random.default_rng(1))


def test_the_frame_is_part_of_the_model(run):
    frame = load_model(RunFolder(run).model).header.working_view.frame
    height, width = frame.size_px
    assert (height, width) < (40, 70)
    samples = np.asarray(Image.open(next(RunFolder(run).samples.glob("good-*.png"))))
    assert samples.size


def test_the_map_turns_with_the_image(run, image):
    detector = rcae.Detector.load(run)
    drawn = detector.predict(image).anomaly_map
    turned = detector.predict(image[::-1, ::-1]).anomaly_map
    assert drawn.shape == image.shape[:2]
    assert drawn.max() > drawn.min()
    np.testing.assert_allclose(turned[::-1, ::-1], drawn, atol=0.02 * np.ptp(drawn))


def test_the_highest_value_lies_on_the_part(run, image):
    damaged = image.copy()
    damaged[48:53, 50:55] = (255, 0, 0)
    drawn = rcae.Detector.load(run).predict(damaged).anomaly_map
    row, column = np.unravel_index(drawn.argmax(), drawn.shape)
    assert np.hypot(row - 50, column - 52) < 35
    assert drawn[0, 0] == drawn.min()  # beyond the frame nothing is judged


def test_what_is_explained_is_shown_in_the_whole_image(run, image):
    seen = rcae.Detector.load(run).explain(image)
    shape = seen.image.shape
    np.testing.assert_allclose(seen.image, image.astype(np.float32) / 255, atol=0.06)
    for reconstruction in [*seen.reconstructions.values(), seen.restored]:
        assert reconstruction.shape == shape
        np.testing.assert_array_equal(reconstruction[0], seen.image[0])
        assert (reconstruction[50, 52] != seen.image[50, 52]).any()
    assert seen.anomaly_map.shape == shape[:2]


def test_training_says_that_images_are_cut(run, tmp_path, said):
    rcae.train(run.parent / "data", tmp_path / "again", set=SETTINGS)
    assert "every image shows one part: each is turned and cut to it" in said()


def test_parts_that_always_lie_alike_are_cut_in_one_place(tmp_path, said):
    (tmp_path / "data" / "good").mkdir(parents=True)
    random = np.random.default_rng(2)
    for number in range(20):
        pixels = in_pose(random.uniform(48, 52, 2), random.normal(0, 0.02), random)
        Image.fromarray(pixels).save(tmp_path / "data" / "good" / f"{number:02d}.png")
    rcae.train(tmp_path / "data", tmp_path / "run", set=SETTINGS)
    assert "it always lies alike, so that all are cut to one place" in said()
    header = load_model(RunFolder(tmp_path / "run").model).header
    assert header.working_view.frame.still_at_px == pytest.approx((50, 50), abs=5)
    assert ", cut to the part (" in header.training_facts["Working image"]


def test_the_view_of_the_camera_can_be_kept(run, tmp_path):
    rcae.train(run.parent / "data", tmp_path / "whole", set=[*SETTINGS, "image.frame=camera"])
    assert load_model(RunFolder(tmp_path / "whole").model).header.working_view.frame is None
