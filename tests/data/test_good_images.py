import pytest

from rcae.base.errors import DataError, ImageError
from rcae.base.settings import CalibrationSettings
from rcae.data.good_images import GoodImage, hash_list, list_good_images, read_list, to_csv


@pytest.fixture
def files(tmp_path):
    paths = [tmp_path / f"{number:03d}.png" for number in range(100)]
    for number, path in enumerate(paths):
        path.write_bytes(str(number).encode())
    return paths


def listed(paths, seed=0, **settings):
    return list_good_images(paths, paths[0].parent, CalibrationSettings(**settings), seed)


def calibration(images):
    return {image.path for image in images if image.role == "calibration"}


@pytest.mark.parametrize(
    ("share", "minimum", "expected"), [(0.1, 8, 10), (0.05, 8, 8), (0.101, 2, 11)]
)
def test_the_larger_of_share_and_minimum_is_held_out(files, share, minimum, expected):
    images = listed(files, share=share, minimum_images=minimum)
    assert len(images) == 100
    assert len(calibration(images)) == expected


def test_the_seed_draws_the_images_and_the_order_stays(files):
    first = listed(files)
    assert first == listed(files)
    assert calibration(first) != calibration(listed(files, seed=1))
    assert [image.path for image in first] == [path.name for path in files]


def test_an_image_with_a_copy_is_never_held_out(files):
    for path in files[:80]:
        path.write_bytes(b"the same")
    for seed in range(20):
        assert calibration(listed(files, seed=seed)) <= {path.name for path in files[80:]}


def test_too_few_images_are_refused_with_the_numbers(files):
    with pytest.raises(DataError, match=r"15 good training images.*8 are held out.*at least 8"):
        listed(files[:15])
    assert len(listed(files[:16])) == 16


def test_too_many_copies_are_refused(files):
    for path in files[:95]:
        path.write_bytes(b"the same")
    with pytest.raises(DataError, match="5 of them without a copy"):
        listed(files)


def test_a_file_that_vanished_is_named(files):
    files[7].unlink()
    with pytest.raises(ImageError, match=r"007\.png cannot be read"):
        listed(files)


def test_the_hash_of_the_list_changes_with_content_name_and_role(files):
    before = listed(files)
    files[3].write_bytes(b"changed")
    assert hash_list(listed(files)) != hash_list(before)
    assert hash_list(listed(files, seed=1)) != hash_list(listed(files))
    assert to_csv(before).splitlines()[0] == "role,path,sha256"


def test_a_name_that_is_no_text_is_listed_and_hashed(files):
    import os

    renamed = files[0].rename(files[0].with_name(os.fsdecode(b"\xff.png")))
    assert len(hash_list(listed([renamed, *files[1:]]))) == 64


@pytest.mark.parametrize(("data_share", "expected"), [(1.0, 90), (0.5, 45), (0.1, 9), (0.01, 8)])
def test_a_share_of_the_data_leaves_calibration_alone_and_the_rest_unused(
    files, data_share, expected
):
    images = list_good_images(files, files[0].parent, CalibrationSettings(), 0, data_share)
    assert calibration(images) == calibration(listed(files))
    assert sum(image.role == "train" for image in images) == expected
    assert sum(image.role == "unused" for image in images) == 90 - expected
    smaller = list_good_images(files, files[0].parent, CalibrationSettings(), 0, data_share / 2)
    assert {i.path for i in smaller if i.role == "train"} <= {
        i.path for i in images if i.role == "train"
    }


@pytest.mark.parametrize("name", ["a\u2028b", "a\x85b", "a\x0cb", "a\nb", 'a"b,c', "\udcff"])
def test_any_name_survives_the_list_of_a_run(tmp_path, name):
    images = (GoodImage("train", name, "0" * 64), GoodImage("unused", f"{name}2", "1" * 64))
    text = to_csv(images)
    (tmp_path / "data.csv").write_bytes(text.encode("utf-8", "surrogateescape"))
    assert read_list(tmp_path / "data.csv") == images
