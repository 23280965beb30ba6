import shutil

import numpy as np
import pytest
from PIL import Image
from scipy import ndimage
from sklearn.metrics import roc_auc_score

from rcae.base.errors import ImageError
from rcae.data.doctor import give_aways
from rcae.data.doctor.give_aways import GIVE_AWAYS, GiveAways, Look
from rcae.data.images import read_image
from rcae.data.layouts.category import open_category

NEUTRAL = {
    "size": (100, 50),
    "brightness": 0.5,
    "contrast": 0.1,
    "sharpness": 0.01,
    "kind": ".png, 8-bit grey",
}
SIZES = [NEUTRAL["size"]]


def looks(name, values):
    return [Look(**{**NEUTRAL, name: value}) for value in values]


@pytest.fixture
def uneven(tmp_path):
    """A category whose test images differ in every property, some of them by chance alone."""
    random = np.random.default_rng(0)
    for folder, count in (("train/good", 16), ("test/good", 12), ("test/bent", 14)):
        (tmp_path / folder).mkdir(parents=True)
        for number in range(count):
            size = random.integers(20, 40, 2)
            pixels = random.normal(random.uniform(80, 150), random.uniform(5, 20), (*size, 3))
            image = Image.fromarray(pixels.clip(0, 255).astype(np.uint8))
            suffix = random.choice(["png", "bmp"])
            image.save(tmp_path / folder / f"{number:02d}.{suffix}")
    return tmp_path


def test_every_auroc_is_scikit_learns_of_the_same_property(uneven):
    category = open_category(uneven)
    images = [read_image(sample.path) for sample in category.test]
    truth = [sample.is_defective for sample in category.test]
    usual = np.median([read_image(s.path).shape[:2] for s in category.train_good], axis=0)
    sizes = np.array([image.shape[:2] for image in images])
    aspects = np.log(sizes[:, 1] / sizes[:, 0])
    laplacians = [
        ndimage.laplace(image.mean(axis=2).astype(np.float64))[1:-1, 1:-1] for image in images
    ]
    candidates = {
        "size": [np.abs(np.log(sizes / usual)).max(axis=1), *sizes.T],
        "aspect": [np.abs(aspects - np.log(usual[1] / usual[0])), aspects],
        "brightness": [[image.mean() for image in images]],
        "contrast": [[image.mean(axis=2).std() for image in images]],
        "sharpness": [[laplacian.var() for laplacian in laplacians]],
        "kind": [[sample.path.suffix == ".png" for sample in category.test]],
    }
    expected = {}
    for name, columns in candidates.items():
        aurocs = [roc_auc_score(truth, column) for column in columns]
        expected[name] = max(max(auroc, 1 - auroc) for auroc in aurocs)
    strengths = give_aways.measure(category).strengths
    assert strengths == pytest.approx(expected)
    assert list(strengths) == list(GIVE_AWAYS)
    assert len(set(strengths.values())) > 4


def test_an_image_is_measured_as_scipy_and_numpy_measure_it(tmp_path):
    colours = np.random.default_rng(1).integers(0, 256, (30, 20, 3), dtype=np.uint8)
    Image.fromarray(colours).save(tmp_path / "part.PNG")
    grey = colours.mean(axis=2) / 255
    found = Look.of(tmp_path / "part.PNG", read_image(tmp_path / "part.PNG"))
    assert (found.size, found.kind) == ((30, 20), ".png, 8-bit RGB")
    assert (found.brightness, found.contrast) == pytest.approx((grey.mean(), grey.std()))
    assert found.sharpness == pytest.approx(ndimage.laplace(grey)[1:-1, 1:-1].var(), rel=1e-5)


def test_images_that_are_alike_give_nothing_away():
    alike = looks("brightness", [0.5] * 10)
    found = GiveAways.of(alike, alike, SIZES)
    assert found.strengths == dict.fromkeys(GIVE_AWAYS, 0.5)
    assert list(found.warnings()) == []


GIVEN_AWAY = {
    "size": ([(100, 50)], [(200, 100)], "otherwise sized"),
    "aspect": ([(100, 50)], [(80, 62)], "otherwise shaped"),
    "brightness": ([0.5], [0.4], "darker"),
    "contrast": ([0.1], [0.2], "higher-contrast"),
    "sharpness": ([0.02], [0.01], "less sharp"),
    "kind": ([".png, 8-bit grey"], [".jpg, 8-bit grey"], "otherwise stored"),
}


@pytest.mark.parametrize("name", GIVEN_AWAY)
def test_each_property_that_tells_is_warned_of_in_its_own_words(name):
    good, defective, word = GIVEN_AWAY[name]
    field = "size" if name == "aspect" else name
    found = GiveAways.of(looks(field, good * 10), looks(field, defective * 10), SIZES)
    messages = dict(found.warnings())
    message = messages.pop(GIVE_AWAYS[name].code)
    assert message.startswith(f"has {word} defective than good test images: ")
    assert "alone has an image AUROC of 1.000. Image scores " in message
    assert set(messages) <= {"telling-size"}  # another shape is another size


def test_the_words_follow_the_direction():
    found = GiveAways.of(looks("sharpness", [0.1] * 10), looks("sharpness", [0.2] * 10), SIZES)
    ((code, message),) = found.warnings()
    assert (code, message[:24]) == ("telling-sharpness", "has sharper defective th")


def test_sizes_on_both_sides_of_the_usual_one_tell_as_well():
    good = looks("size", [(100, 50)] * 10)
    defective = looks("size", [(90, 45), (120, 60)] * 5)
    assert GiveAways.of(good, defective, SIZES).strengths["size"] == 1


def test_larger_and_smaller_sizes_tell_though_both_are_as_unusual():
    good = looks("size", [(50, 25)] * 10)
    defective = looks("size", [(200, 100)] * 10)
    assert GiveAways.of(good, defective, SIZES).strengths["size"] == 1


def test_three_file_kinds_tell_by_those_that_are_mostly_defective():
    good = looks("kind", ["a"] * 6 + ["b"] * 3 + ["c"])
    defective = looks("kind", ["a"] + ["b"] * 4 + ["c"] * 5)
    truth, order = [False] * 10 + [True] * 10, {"a": 0, "b": 1, "c": 2}
    expected = roc_auc_score(truth, [order[look.kind] for look in good + defective])
    assert GiveAways.of(good, defective, SIZES).aurocs["kind"] == pytest.approx(expected)


@pytest.mark.parametrize(("above", "count", "warned"), [(8.5, 10, 1), (7.5, 10, 0), (8.5, 9, 0)])
def test_the_limit_of_nine_in_ten_is_held_from_ten_images_of_each_kind_on(above, count, warned):
    good, defective = looks("brightness", range(10)), looks("brightness", [above] * count)
    found = GiveAways.of(good, defective, SIZES)
    assert found.strengths["brightness"] == pytest.approx((above + 0.5) / 10)
    assert len(list(found.warnings())) == warned


@pytest.mark.parametrize("gone", ["good", "defective"])
def test_one_class_alone_has_nothing_to_give_away(gone):
    some = looks("brightness", [0.1, 0.2])
    found = GiveAways.of(*(([], some) if gone == "good" else (some, [])), SIZES)
    assert (found.aurocs, found.strengths, list(found.warnings())) == ({}, {}, [])


def test_a_training_image_that_cannot_be_read_is_passed_over_and_a_test_image_is_not(uneven):
    before = give_aways.measure(open_category(uneven))
    (uneven / "train" / "good" / "damaged.png").write_bytes(b"")
    assert give_aways.measure(open_category(uneven)) == before
    (uneven / "test" / "good" / "damaged.png").write_bytes(b"")
    with pytest.raises(ImageError, match="empty"):
        give_aways.measure(open_category(uneven))


def test_without_training_images_the_test_images_set_the_usual_size(uneven):
    shutil.rmtree(uneven / "train")
    category = open_category(uneven)
    assert category.train_good == ()
    assert 0.5 <= give_aways.measure(category).strengths["size"] <= 1
