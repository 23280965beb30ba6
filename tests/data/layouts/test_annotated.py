"""Annotation files in the place of masks."""

import json

import pytest

from rcae.base.errors import DataError
from rcae.data.layouts.category import open_category
from tests.data.conftest import listed

LABELME = json.dumps({"version": "5", "shapes": [{"points": [[1, 1], [9, 1], [9, 9]]}]})
YOLO = "0 0.1 0.1 0.9 0.1 0.9 0.9\n"


def coco(*names):
    images = [
        {"id": n, "file_name": name, "height": 20, "width": 30} for n, name in enumerate(names)
    ]
    drawn = [{"image_id": n, "segmentation": [[1, 1, 9, 1, 9, 9]]} for n in range(len(names))]
    return json.dumps({"images": images, "annotations": drawn})


def masks_of(root):
    return {row[2]: row[3] for row in listed(open_category(root)) if row[1] != "good"}


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("crack/1.json", LABELME),
        ("crack/1.txt", YOLO),
        ("masks/crack/1.json", LABELME),
        ("labels/crack/1.txt", YOLO),
        ("labels/1.txt", YOLO),
        ("annotations/1.json", LABELME),
        ("annotations/instances_default.json", coco("crack/1.png")),
        ("crack/_annotations.coco.json", coco("1.png")),
        ("annotations.json", coco("images/1.jpg")),
    ],
)
def test_annotations_are_found_where_tools_put_them(make_files, name, text):
    root = make_files("parts", "good/0.png", "crack/1.png", name)
    (root / name).write_text(text)
    assert masks_of(root) == {"crack/1.png": name}
    assert open_category(root).unused_masks == ()


def test_two_images_of_one_coco_file_have_each_its_own_mask(make_files):
    root = make_files("parts", "good/0.png", "crack/1.png", "bent/1.png", "annotations/all.json")
    (root / "annotations/all.json").write_text(coco("crack/1.png", "bent/1.png"))
    assert masks_of(root) == {
        "bent/1.png": "annotations/all.json",
        "crack/1.png": "annotations/all.json",
    }


def test_one_entry_of_a_coco_file_for_two_images_is_refused(make_files):
    root = make_files("parts", "good/0.png", "crack/1.png", "bent/1.png", "annotations/all.json")
    (root / "annotations/all.json").write_text(coco("1.png"))
    with pytest.raises(
        DataError, match=r"all.json is the mask of .*bent/1.png and of .*crack/1.png"
    ):
        open_category(root)


def test_a_folder_named_labels_with_images_is_a_defect_type(make_files):
    root = make_files("parts", "good/0.png", "labels/1.png")
    assert masks_of(root) == {"labels/1.png": None}


def test_other_text_and_json_beside_images_stays_what_it_is(make_files):
    root = make_files(
        "parts", "good/0.png", "crack/1.png", "crack/1.json", "crack/1.txt", "data.json"
    )
    (root / "crack/1.json").write_text('{"gain": 2}')
    (root / "crack/1.txt").write_text("taken on Monday")
    (root / "data.json").write_text("{")
    assert masks_of(root) == {"crack/1.png": None}
    assert open_category(root).notes[-1].endswith("1 .json, 1 .txt.")


def test_annotations_without_a_shape_are_no_masks(make_files):
    root = make_files("parts", "good/0.png", "good/0.json", "crack/1.png", "crack/1.json")
    for name in ("good/0", "crack/1"):
        (root / f"{name}.json").write_text('{"version": "5", "shapes": [ ], "imageData": null}')
    category = open_category(root)
    assert masks_of(root) == {"crack/1.png": None}
    assert category.unused_masks == ()
