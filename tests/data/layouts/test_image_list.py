import json

import pytest

from rcae.base.errors import DataError, UsageError
from rcae.data.layouts.category import open_category
from tests.data.conftest import listed

IMAGES = tuple(f"images/{number}.png" for number in range(6))
SPLIT = [
    ("train", "good", "images/0.png", None),
    ("train", "good", "images/1.png", None),
    ("test", "good", "images/2.png", None),
    ("test", "crack", "images/3.png", "masks/3.png"),
]
ROWS = [
    {"image_path": "images/0.png", "label": "good", "split": "train"},
    {"image_path": "images/1.png", "label": "good", "split": "train"},
    {"image_path": "images/2.png", "label": "good", "split": "test"},
    {"image_path": "images/3.png", "label": "crack", "split": "test", "mask_path": "masks/3.png"},
]
TABLE = """\
image_path,label,split,mask_path
images/0.png,good,train,
images/1.png,good,train,
images/2.png,good,test,
images/3.png,crack,test,masks/3.png
"""


@pytest.fixture
def write(make_files):
    """Write a list beside its images, and return its path."""

    def write(name, text):
        root = make_files("parts", *IMAGES, "masks/3.png")
        (root / name).write_text(text, encoding="utf-8")
        return root / name

    return write


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("list.csv", TABLE),
        ("list.csv", "\ufeff" + TABLE.replace(",", ";")),
        ("list.tsv", TABLE.replace(",", "\t").replace("image_path", "Path")),
        ("list.csv", TABLE.replace("images/", "images\\")),
        ("list.json", json.dumps(ROWS)),
        ("list.jsonl", "\n".join(map(json.dumps, ROWS))),
        ("list.json", json.dumps({"train": ROWS[:2], "test": ROWS[2:], "meta": {}})),
    ],
    ids=["csv", "excel", "tsv", "windows", "json", "jsonl", "by split"],
)
def test_a_list_gives_label_split_and_mask_of_each_image(write, name, text):
    path = write(name, text)
    category = open_category(path)
    assert (category.name, category.layout, category.root) == (name, "list", path.parent)
    assert listed(category) == SPLIT
    assert category.notes == ()


def test_numbers_are_labels_too(write):
    text = "image_path,label_index,split\nimages/0.png,0,train\nimages/1.png,0.0,test\nimages/2.png,1,test\n"
    kinds = {s.path.name: s.defect_type for s in open_category(write("list.csv", text)).samples}
    assert kinds == {"0.png": "good", "1.png": "good", "2.png": "defect"}


def test_a_defect_type_counts_before_a_number(write):
    text = "path,label,defect_type\nimages/0.png,0,\nimages/1.png,1,dent\n"
    kinds = {s.path.name: s.defect_type for s in open_category(write("list.csv", text)).samples}
    assert kinds == {"0.png": "good", "1.png": "dent"}


def test_every_fifth_good_image_is_for_the_test_where_a_list_has_no_split(write):
    text = (
        "path,label\n" + "".join(f"images/{n}.png,good\n" for n in range(5)) + "images/5.png,bad\n"
    )
    category = open_category(write("list.csv", text))
    assert [s.path.name for s in category.test] == ["4.png", "5.png"]
    assert len(category.train_good) == 4
    assert "because the list has no split" in category.notes[0]


def test_good_images_alone_are_all_for_training(write):
    text = "path,label\n" + "".join(f"images/{n}.png,normal\n" for n in range(6))
    category = open_category(write("list.csv", text))
    assert (len(category.train_good), category.test, category.notes) == (6, (), ())


def test_validation_images_and_defects_to_train_on_are_named(write):
    text = "path,label,split\nimages/0.png,ok,train\nimages/1.png,ok,val\nimages/2.png,bad,train\n"
    category = open_category(write("list.csv", text))
    assert [s.path.name for s in category.train_good] == ["0.png"]
    assert category.notes == (
        "Images of the validation split are left out: 1.",
        "Defective images of the training split are not used: 1.",
    )


def test_images_may_lie_anywhere(write, tmp_path):
    path = write("lists.csv", "")
    elsewhere = tmp_path / "elsewhere" / "x.png"
    elsewhere.parent.mkdir()
    elsewhere.touch()
    path.write_text(f"path,label\n{elsewhere},good\n../parts/images/1.png,good\n")
    category = open_category(path)
    assert category.root == tmp_path
    assert [row[2] for row in listed(category)] == ["elsewhere/x.png", "parts/images/1.png"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "lists no image"),
        ("path,label\n", "lists no image"),
        ("file,label\nimages/0.png,\n", "line 2 has no label"),
        ("photo,label\nimages/0.png,good\n", "line 2 has no image"),
        ("path,label\nimages/9.png,good\n", r"line 2: .*9.png does not exist; paths are absolute"),
        ("path,label,split\nimages/0.png,good,blind\n", "the split is 'blind'; it must be one of"),
        ("path,label\nimages/0.png,good\n./images/0.png,bad\n", "twice"),
        ("path,label,mask\nimages/0.png,bad,masks/9.png\n", r"masks/9.png does not exist"),
    ],
)
def test_a_list_that_cannot_be_used_is_refused_by_line(write, text, message):
    with pytest.raises(DataError, match=message):
        open_category(write("list.csv", text))


@pytest.mark.parametrize("text", ["{", '{"a": 1}', "[]", "3", "null"])
def test_json_that_is_no_list_is_refused(write, text):
    with pytest.raises(DataError, match=r"list.json"):
        open_category(write("list.json", text))


def test_a_list_that_does_not_exist_is_refused(tmp_path):
    with pytest.raises(UsageError, match="does not exist"):
        open_category(tmp_path / "list.csv")


def test_a_mask_of_a_good_image_is_not_used(write):
    text = "path,label,mask\nimages/3.png,good,masks/3.png\n"
    assert open_category(write("list.csv", text)).samples[0].mask_paths == ()
