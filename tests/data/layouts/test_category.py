import errno
import os
from pathlib import Path

import pytest

from rcae.base.errors import DataError, UsageError
from rcae.data.layouts.category import is_category, open_category
from tests.data.conftest import listed

LIST_LEFT_OUT = "Files left out, since no image is read from them: 1 .txt."


def test_mvtec_layout(make_files):
    root = make_files(
        "bottle",
        "train/good/001.png",
        "train/good/000.png",
        "train/good/readme.txt",
        "test/good/000.png",
        "test/crack/000.png",
        "test/crack/001.JPG",
        "test/bent/000.png",
        "ground_truth/crack/000_mask.png",
        "ground_truth/crack/001_mask.PNG",
        "ground_truth/bent/000.png",
        "license.txt",
    )
    category = open_category(root)
    assert (category.name, category.layout, category.notes) == ("bottle", "mvtec", (LIST_LEFT_OUT,))
    assert listed(category) == [
        ("train", "good", "train/good/000.png", None),
        ("train", "good", "train/good/001.png", None),
        ("test", "bent", "test/bent/000.png", "ground_truth/bent/000.png"),
        ("test", "crack", "test/crack/000.png", "ground_truth/crack/000_mask.png"),
        ("test", "crack", "test/crack/001.JPG", "ground_truth/crack/001_mask.PNG"),
        ("test", "good", "test/good/000.png", None),
    ]
    assert [sample.is_defective for sample in category.test] == [True, True, True, False]
    assert [sample.path.name for sample in category.train_good] == ["000.png", "001.png"]
    assert not any(sample.mask_reading.indexed for sample in category.samples)


def test_a_mask_belongs_to_the_image_of_its_own_defect_type(make_files):
    root = make_files(
        "bottle",
        "train/good/0.png",
        "test/good/0.png",
        "test/bent/0.png",
        "test/crack/1.png",
        "ground_truth/crack/0_mask.png",
        "ground_truth/crack/1_mask.png",
        "ground_truth/good/0_mask.png",
    )
    category = open_category(root)
    assert [[mask.parent.name for mask in r.mask_paths] for r in category.test] == [
        [],
        ["crack"],
        [],
    ]
    assert [path.relative_to(root).as_posix() for path in category.unused_masks] == [
        "ground_truth/crack/0_mask.png",
        "ground_truth/good/0_mask.png",
    ]


def test_training_images_alone_make_a_category(make_files):
    category = open_category(make_files("bottle", "train/good/0.png"))
    assert (len(category.train_good), category.test) == (1, ())


def test_test_images_alone_make_a_category(make_files):
    category = open_category(make_files("bottle", "test/good/0.png", "test/crack/0.png"))
    assert (category.train_good, len(category.test)) == ((), 2)


def test_visa_as_its_authors_reorganise_it(make_files):
    root = make_files(
        "candle",
        "train/good/0000.JPG",
        "test/good/0001.JPG",
        "test/bad/000.JPG",
        "ground_truth/bad/000.png",
    )
    category = open_category(root)
    assert category.layout == "visa_1cls"
    assert listed(category) == [
        ("train", "good", "train/good/0000.JPG", None),
        ("test", "bad", "test/bad/000.JPG", "ground_truth/bad/000.png"),
        ("test", "good", "test/good/0001.JPG", None),
    ]


def test_a_defect_named_bad_does_not_make_mvtec_masks_visa(make_files):
    root = make_files("parts", "train/good/0.png", "test/bad/0.png")
    assert open_category(root).layout == "mvtec"
    make_files("parts", "ground_truth/bad/0_mask.png")
    assert open_category(root).layout == "mvtec"


def test_a_plain_folder_of_images_is_all_for_training(make_files):
    category = open_category(make_files("parts", "b.png", "a.jpg", "list.txt", ".c.png"))
    assert (category.layout, category.notes) == ("plain", (LIST_LEFT_OUT,))
    assert [sample.path.name for sample in category.train_good] == ["a.jpg", "b.png"]
    assert category.test == ()


def test_folders_beside_plain_images_are_noted(make_files):
    category = open_category(make_files("parts", "a.png", "scratch/b.png"))
    assert len(category.samples) == 1
    assert "not looked into" in category.notes[0]


def test_a_plain_folder_with_defects_keeps_every_fifth_good_image_for_the_test(make_files):
    good = [f"good/{number:02d}.png" for number in range(11)]
    root = make_files(
        "parts",
        *good,
        "scratch/x.png",
        "scratch/y.png",
        "dent/x.bmp",
        "masks/scratch/x.png",
        "ground_truth/dent/x_mask.png",
    )
    category = open_category(root)
    held_out = [r.path.name for r in category.test if not r.is_defective]
    assert held_out == ["04.png", "09.png"]
    assert len(category.train_good) == 9
    assert not {r.path.name for r in category.train_good} & set(held_out)
    assert [row[1:] for row in listed(category) if row[1] != "good"] == [
        ("dent", "dent/x.bmp", "ground_truth/dent/x_mask.png"),
        ("scratch", "scratch/x.png", "masks/scratch/x.png"),
        ("scratch", "scratch/y.png", None),
    ]
    assert "Every fifth good image by name, 2 in all" in category.notes[0]


def test_a_plain_folder_without_defects_trains_on_all_good_images(make_files):
    category = open_category(make_files("parts", *[f"good/{number}.png" for number in range(9)]))
    assert (len(category.train_good), category.test, category.notes) == (9, (), ())


def test_test_good_spares_the_good_images(make_files):
    good = [f"good/{number}.png" for number in range(9)]
    category = open_category(make_files("parts", *good, "test_good/a.png", "scratch/x.png"))
    assert len(category.train_good) == 9
    assert [row[:3] for row in listed(category) if row[0] == "test"] == [
        ("test", "scratch", "scratch/x.png"),
        ("test", "good", "test_good/a.png"),
    ]
    assert category.notes == ()


def test_images_beside_the_good_folder_are_noted(make_files):
    category = open_category(make_files("parts", "good/0.png", "1.png"))
    assert len(category.samples) == 1
    assert "Images directly in" in category.notes[0]


def test_the_order_does_not_depend_on_the_file_system(make_files, list_backwards):
    root = make_files("parts", *[f"{t}/{n}.png" for t in ("good", "b", "a") for n in "513"])
    forward = open_category(root)
    list_backwards()
    assert open_category(root) == forward


def test_a_folder_that_does_not_exist_is_a_wrong_request(tmp_path):
    with pytest.raises(UsageError, match="nowhere does not exist"):
        open_category(tmp_path / "nowhere")


def test_a_file_is_no_category(make_files):
    with pytest.raises(DataError, match=r"bottle\.zip cannot be listed \(Not a directory\)"):
        open_category(make_files(".", "bottle.zip") / "bottle.zip")


def test_a_link_to_itself_is_no_category(tmp_path):
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(DataError, match="loop cannot be listed"):
        open_category(tmp_path / "loop")


def test_a_folder_without_layout_is_told_what_was_found_and_what_would_fit(make_files):
    with pytest.raises(DataError) as caught:
        open_category(make_files("parts", *[f"{name}/a.png" for name in ("A", "NG")], "a.txt"))
    for part in ("the folders A/, NG/ and no images", "MVTec AD", "VisA", "test_good/", "plain"):
        assert part in str(caught.value)


def test_a_folder_of_categories_names_them(make_files):
    make_files("mvtec", "bottle/train/good/0.png", "cable/train/good/0.png", "license/a.txt")
    with pytest.raises(DataError, match=r"holds bottle, cable; give one of them, like .*bottle"):
        open_category(make_files("mvtec"))


def test_a_category_without_any_image_is_named(make_files):
    with pytest.raises(DataError, match="no image in them"):
        open_category(make_files("parts", "train/good/readme.txt"))


def test_an_unreadable_folder_is_named(make_files, monkeypatch):
    root = make_files("parts", "train/good/0.png", "test/good/0.png")
    real_scandir = os.scandir

    def refuse(folder):
        if folder == root / "test" / "good":
            raise PermissionError(errno.EACCES, "Permission denied", folder)
        return real_scandir(folder)

    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(DataError, match=r"test/good cannot be listed \(Permission denied\)"):
        open_category(root)


@pytest.mark.parametrize("look", [open_category, is_category])
def test_a_folder_that_cannot_be_entered_is_named(make_files, monkeypatch, look):
    root = make_files("parts", "train/good/0.png", "test/good/0.png")
    real_is_dir = Path.is_dir

    def refuse(path, **options):
        if path == root / "train" / "good":
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return real_is_dir(path, **options)

    monkeypatch.setattr(Path, "is_dir", refuse)
    with pytest.raises(DataError, match=r"train/good cannot be listed \(Permission denied\)"):
        look(root)


IMAGES = ("crack/000.png", "crack/001.png")


@pytest.mark.parametrize(
    "masks",
    [
        ("mask/000.png", "mask/001.png"),
        ("masks/000_GT.png", "masks/001_gt.bmp"),
        ("Mask/crack/000.png", "Mask/crack/001.png"),
        ("GROUND_TRUTH/CRACK/000_MASK.png", "GROUND_TRUTH/CRACK/001_label.PNG"),
        ("ground_truth/crack/000/0.png", "ground_truth/crack/001/anything.png"),
        ("crack/000_GT.png", "crack/001_label.bmp"),
    ],
    ids=["flat", "marks", "case of a folder", "case of names", "folder for an image", "beside"],
)
def test_a_mask_is_found_wherever_tools_and_datasets_put_it(make_files, masks):
    category = open_category(make_files("parts", "good/0.png", *IMAGES, *masks))
    defective = [sample for sample in category.test if sample.is_defective]
    found = [
        (
            sample.path.stem,
            [path.relative_to(category.root).as_posix() for path in sample.mask_paths],
        )
        for sample in defective
    ]
    assert found == [("000", [masks[0]]), ("001", [masks[1]])]
    assert category.unused_masks == ()


def test_several_masks_of_one_image_all_count(make_files):
    root = make_files(
        "parts",
        "train/good/0.png",
        "test/crack/7.png",
        "ground_truth/crack/7/000.png",
        "ground_truth/crack/7/001.png",
        "ground_truth/crack/7_mask.png",
        "ground_truth/crack/7.png",
    )
    (sample,) = open_category(root).test
    assert len(sample.mask_paths) == 4


def test_a_mask_matches_a_name_in_the_other_form_of_unicode(make_files):
    composed, decomposed = "pr\u00fcf.png", "pru\u0308f.png"
    root = make_files("parts", "good/0.png", f"crack/{composed}", f"masks/crack/{decomposed}")
    samples = [sample for sample in open_category(root).test if sample.is_defective]
    assert [len(sample.mask_paths) for sample in samples] == [1]


def test_one_mask_for_two_images_is_refused(make_files):
    root = make_files("parts", "good/0.png", "crack/1.png", "cut/1.png", "mask/1.png")
    with pytest.raises(DataError, match=r"mask/1.png is the mask of .*crack/1.png and of .*cut/1"):
        open_category(root)


def test_masks_beside_good_images_are_no_images(make_files):
    root = make_files(
        "parts", *[f"train/good/{n}{end}.png" for n in range(3) for end in ("", "_GT")]
    )
    category = open_category(root)
    assert [sample.path.name for sample in category.train_good] == ["0.png", "1.png", "2.png"]
    assert [path.name for path in category.unused_masks] == ["0_GT.png", "1_GT.png", "2_GT.png"]


@pytest.mark.parametrize("name", ["ok", "OK", "Normal", "good"])
def test_good_images_lie_in_folders_of_other_names_too(make_files, name):
    root = make_files("parts", f"train/{name}/0.png", f"test/{name}/1.png", "test/ko/2.png")
    category = open_category(root)
    found = sorted((s.split, s.defect_type) for s in category.samples)
    assert found == [("test", "good"), ("test", "ko"), ("train", "good")]


def test_ok_beside_good_is_good(make_files):
    root = make_files(
        "parts", "train/good/0.png", "test/good/1.png", "test/ok/2.png", "test/x/3.png"
    )
    assert [sample.is_defective for sample in open_category(root).test] == [False, False, True]


def test_images_in_folders_of_folders_are_used_and_those_left_out_are_counted_and_named(make_files):
    root = make_files(
        "parts",
        "train/good/0.png",
        *[f"train/good/batch1/{n}.png" for n in range(3)],
        "validation/good/0.png",
        "train/good/.hidden/0.png",
        "test/good/.DS_Store",
    )
    category = open_category(root)
    assert len(category.train_good) == 4
    assert category.notes == (
        "Images in folders of folders are used too: 3 below train/good/.",
        "Images left out: 1 in validation/good/.",
    )


def test_only_the_first_folders_are_named_where_many_are_left_out(make_files):
    root = make_files("parts", "train/good/0.png", *[f"train/{n}/0.png" for n in range(9)])
    assert open_category(root).notes[0].endswith("1 in train/4/ and 4 more folders.")


def test_files_among_images_that_are_no_images_are_counted_by_kind(make_files):
    root = make_files(
        "parts", "good/0.png", "good/0.gif", "good/1.GIF", "good/notes", "readme.txt", "bad/1.jpg"
    )
    assert open_category(root).notes[-1] == (
        "Files left out, since no image is read from them: 2 .gif, 1 notes."
    )
