"""Published datasets, drawn small as their authors lay them out."""

import json

import numpy as np
import pytest
from PIL import Image

from rcae.base.errors import DataError
from rcae.data.layouts.category import is_category, open_category
from tests.data.conftest import listed


def draw_mask(path, *, is_black, size_px=(20, 30)):
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.zeros(size_px, np.uint8)
    if not is_black:
        pixels[3:6, 4:9] = 255
    Image.fromarray(pixels).save(path)


def test_mvtec_ad_2_is_tested_on_its_public_test(make_files):
    root = make_files(
        "can",
        "train/good/000_regular.png",
        "validation/good/000_regular.png",
        "test_public/good/000_regular.png",
        "test_public/bad/000_regular.png",
        "test_public/bad/001_overexposed.png",
        "test_public/ground_truth/bad/000_regular_mask.png",
        "test_public/ground_truth/bad/001_overexposed_mask.png",
        "test_private/000_regular.png",
        "test_private_mixed/000_mixed.png",
    )
    category = open_category(root)
    assert category.layout == "mvtec_2"
    public = "test_public"
    assert listed(category) == [
        ("train", "good", "train/good/000_regular.png", None),
        (
            *("test", "bad", f"{public}/bad/000_regular.png"),
            f"{public}/ground_truth/bad/000_regular_mask.png",
        ),
        (
            *("test", "bad", f"{public}/bad/001_overexposed.png"),
            f"{public}/ground_truth/bad/001_overexposed_mask.png",
        ),
        ("test", "good", f"{public}/good/000_regular.png", None),
    ]
    assert category.notes == (
        "Images left out: 1 in test_private/, 1 in test_private_mixed/, 1 in validation/good/.",
    )


def test_mpdd_has_the_tree_of_mvtec_ad(make_files):
    root = make_files(
        "bracket_black",
        "train/good/000.png",
        "test/good/000.png",
        "test/scratches/000.png",
        "ground_truth/scratches/000_mask.png",
    )
    assert open_category(root).layout == "mvtec"
    assert (
        "test",
        "scratches",
        "test/scratches/000.png",
        "ground_truth/scratches/000_mask.png",
    ) in (listed(open_category(root)))


def real_iad(make_files, *, place="realiad_jsons", images=("OK/S1/a.jpg", "OK/S2/b.jpg")):
    root = make_files(
        "realiad_1024/audiojack", *images, "NG/BX/S3/c.jpg", "NG/BX/S3/c_mask.png", "OK/S9/x.jpg"
    )
    train = {"anomaly_class": "OK", "image_path": images[0], "mask_path": None}
    good = {"anomaly_class": "OK", "image_path": images[1], "mask_path": None}
    bad = {
        "anomaly_class": "BX",
        "image_path": "NG/BX/S3/c.jpg",
        "mask_path": "NG/BX/S3/c_mask.png",
    }
    table = root.parent.parent / place / "audiojack.json"
    table.parent.mkdir(parents=True, exist_ok=True)
    content = {"meta": {"prefix": "audiojack/"}, "train": [train], "test": [good, bad]}
    table.write_text(json.dumps(content))
    return root


@pytest.mark.parametrize("place", ["realiad_jsons", "realiad_jsons/realiad_jsons"])
def test_real_iad_is_split_by_its_list(make_files, place):
    category = open_category(real_iad(make_files, place=place))
    assert (category.name, category.layout) == ("audiojack", "real_iad")
    assert listed(category) == [
        ("train", "good", "OK/S1/a.jpg", None),
        ("test", "BX", "NG/BX/S3/c.jpg", "NG/BX/S3/c_mask.png"),
        ("test", "good", "OK/S2/b.jpg", None),
    ]
    assert category.notes == ("Images left out: 1 in OK/S9/.",)


def test_real_iad_without_an_image_of_its_list_is_refused(make_files):
    root = real_iad(make_files)
    (root / "OK/S1/a.jpg").unlink()
    with pytest.raises(DataError, match=r"audiojack.json, train 1: .*a.jpg does not exist"):
        open_category(root)


def test_real_iad_without_a_list_is_a_plain_folder(make_files):
    root = make_files("audiojack", "OK/S1/a.jpg", "NG/BX/S3/c.jpg", "NG/BX/S3/c_mask.png")
    category = open_category(root)
    assert category.layout == "plain"
    assert ("test", "NG", "NG/BX/S3/c.jpg", "NG/BX/S3/c_mask.png") in listed(category)


def test_a_black_label_of_kolektor_sdd_means_good(make_files):
    names = [f"kos{item:02d}/Part{part}" for item in (1, 2, 3) for part in (0, 1)]
    root = make_files("KolektorSDD", *[f"{name}.jpg" for name in names])
    for name in names:
        draw_mask(root / f"{name}_label.bmp", is_black=name != "kos02/Part1")
    category = open_category(root)
    assert category.layout == "kolektor"
    assert [row for row in listed(category) if row[1] != "good"] == [
        ("test", "defect", "kos02/Part1.jpg", "kos02/Part1_label.bmp")
    ]
    assert len(category.train_good) == 4
    assert [s.path.name for s in category.test if not s.is_defective] == ["Part1.jpg"]
    assert category.notes == (
        "Every fifth good image by name, 1 in all, is for the test and not for training, because "
        "KolektorSDD has no split.",
    )
    assert category.unused_masks == ()


def test_a_black_mask_of_kolektor_sdd2_means_good_and_training_takes_no_defects(make_files):
    names = ["train/10000", "train/10001", "test/20000", "test/20001"]
    root = make_files("KolektorSDD2", *[f"{name}.png" for name in [*names, "train/10009"]])
    for name in names:
        draw_mask(root / f"{name}_GT.png", is_black=name.endswith("0"))
    category = open_category(root)
    assert listed(category) == [
        ("train", "good", "train/10000.png", None),
        ("train", "defect", "train/10001.png", "train/10001_GT.png"),
        ("test", "good", "test/20000.png", None),
        ("test", "defect", "test/20001.png", "test/20001_GT.png"),
    ]
    assert [sample.path.name for sample in category.train_good] == ["10000.png"]
    assert category.notes == (
        "Defective images of the training split are not used: 1.",
        "Images left out: 1 in train/.",
    )


def test_images_beside_masks_are_no_kolektor_sdd2_where_there_are_folders_of_good_ones(make_files):
    root = make_files("parts", "train/good/0.png", "train/good/0_GT.png", "test/good/1.png")
    assert open_category(root).layout == "mvtec"


DAGM = ("Train/0001.PNG", "Train/0576.PNG", "Test/0001.PNG", "Test/0002.PNG", "Test/0003.PNG")


def test_an_image_of_dagm_is_defective_by_its_label(make_files):
    root = make_files("Class1", *DAGM, "Train/Label/0576_label.PNG", "Test/Label/0002_label.PNG")
    category = open_category(root)
    assert category.layout == "dagm"
    assert listed(category) == [
        ("train", "good", "Train/0001.PNG", None),
        ("train", "defect", "Train/0576.PNG", "Train/Label/0576_label.PNG"),
        ("test", "good", "Test/0001.PNG", None),
        ("test", "defect", "Test/0002.PNG", "Test/Label/0002_label.PNG"),
        ("test", "good", "Test/0003.PNG", None),
    ]


def test_an_image_of_dagm_whose_label_is_lost_never_becomes_good(make_files):
    root = make_files("Class1", *DAGM, "Train/Label/0576_label.PNG", "Test/Label/0002_label.PNG")
    table = root / "Test" / "Label" / "Labels.txt"
    table.write_text("1\n1\t0\t0001.PNG\t0\t0\n2\t1\t0002.PNG\t0\t0002_label.PNG\n")
    table.write_text(table.read_text() + "3\t1\t0003.PNG\t0\t0003_label.PNG\n")
    (lost,) = [s for s in open_category(root).test if s.is_defective and not s.mask_paths]
    assert lost.path.name == "0003.PNG"


def test_an_unreadable_table_of_dagm_is_named(make_files):
    root = make_files("Class1", *DAGM, "Train/Label/0576_label.PNG", "Train/Label/Labels.txt")
    (root / "Train/Label/Labels.txt").write_bytes(b"\xff\xfe\xff")
    with pytest.raises(DataError, match=r"Labels.txt cannot be read"):
        open_category(root)


def test_each_dataset_is_a_category_and_none_is_taken_for_good_images(make_files):
    assert is_category(make_files("can", "train/good/0.png", "test_public/good/0.png"))
    assert is_category(make_files("Class1", *DAGM, "Train/Label/0576_label.PNG"))
    assert is_category(make_files("sdd2", "train/1.png", "train/1_GT.png"))
    assert is_category(make_files("sdd", "kos01/Part0.jpg", "kos01/Part0_label.bmp"))
    assert not is_category(make_files("good", "a.png"))
