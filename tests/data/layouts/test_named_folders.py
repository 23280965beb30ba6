from pathlib import Path

import pytest

from rcae.base.errors import DataError, UsageError
from rcae.data.layouts.category import open_category
from rcae.data.layouts.source import DataSource, Folders
from tests.data.conftest import listed

FILES = (
    *[f"shots/monday/{number}.png" for number in range(3)],
    *[f"shots/tuesday/{number}.png" for number in range(2)],
    "ng/cracked/0.png",
    "ng/cracked/cam2/0.png",
    "ng/bent/0.png",
    "gt/cracked/0_mask.png",
    "gt/cracked/cam2/0_mask.png",
    "gt/bent/0_mask.png",
)


def test_folders_of_any_name_are_read_with_all_below(make_files):
    root = make_files("parts", *FILES)
    folders = Folders(good=("shots",), defective=("ng/cracked", "ng/bent"), masks=("gt",))
    category = open_category(DataSource(root, folders))
    assert (category.name, category.layout) == ("parts", "folders")
    assert listed(category) == [
        ("train", "good", "shots/monday/0.png", None),
        ("train", "good", "shots/monday/1.png", None),
        ("train", "good", "shots/monday/2.png", None),
        ("train", "good", "shots/tuesday/0.png", None),
        ("test", "bent", "ng/bent/0.png", "gt/bent/0_mask.png"),
        ("test", "cracked", "ng/cracked/0.png", "gt/cracked/0_mask.png"),
        ("test", "cracked", "ng/cracked/cam2/0.png", "gt/cracked/cam2/0_mask.png"),
        ("test", "good", "shots/tuesday/1.png", None),
    ]
    assert "because no --test-good is given" in category.notes[0]
    assert category.unused_masks == ()


def test_one_folder_of_all_defects_has_masks_in_the_same_places(make_files):
    root = make_files("parts", *FILES)
    folders = Folders(good=("shots",), defective=("ng",), masks=("gt",))
    masks = {row[2]: row[3] for row in listed(open_category(DataSource(root, folders)))}
    assert masks["ng/bent/0.png"] == "gt/bent/0_mask.png"
    assert masks["ng/cracked/cam2/0.png"] == "gt/cracked/cam2/0_mask.png"


def test_test_good_spares_the_good_images(make_files):
    root = make_files("parts", *FILES)
    folders = Folders(good=("shots/monday",), test_good=("shots/tuesday",), defective=("ng/bent",))
    category = open_category(DataSource(root, folders))
    assert len(category.train_good) == 3
    assert [s.path.parent.name for s in category.test] == ["bent", "tuesday", "tuesday"]
    assert not any("Every fifth" in note for note in category.notes)


def test_a_folder_may_lie_elsewhere(make_files, tmp_path, monkeypatch):
    root = make_files("parts", "0.png")
    make_files("more", "1.png")
    monkeypatch.chdir(tmp_path)
    category = open_category(DataSource(root, Folders(good=(".", "more"))))
    assert category.name == "parts"
    assert [row[2] for row in listed(category)] == ["more/1.png", "parts/0.png"]


@pytest.mark.parametrize(
    ("folders", "error", "message"),
    [
        (
            Folders(good=("nowhere",)),
            UsageError,
            "nowhere is neither in .*parts nor a path from here",
        ),
        (Folders(defective=("ng",)), UsageError, "need --good"),
        (Folders(good=("empty",)), DataError, "gives no image"),
    ],
)
def test_folders_that_cannot_be_used_are_refused(make_files, folders, error, message):
    root = make_files("parts", *FILES)
    (root / "empty").mkdir()
    with pytest.raises(error, match=message):
        open_category(DataSource(root, folders))


def test_a_source_is_remembered_by_its_places(make_files, tmp_path, monkeypatch):
    root = make_files("parts", *FILES)
    monkeypatch.chdir(tmp_path)
    named = DataSource(root, Folders(good=("parts/shots",), defective=("ng",)))
    plain = named.to_plain()
    monkeypatch.chdir(root)
    again = DataSource(Path()).with_folders_of(plain)
    assert open_category(again).samples
    assert again.place(again.folders.good[0]) == root / "shots"


def test_remembered_folders_are_not_used_for_another_root_or_beside_named_ones(make_files):
    root, other = make_files("parts", *FILES), make_files("other", "good/0.png")
    plain = DataSource(root, Folders(good=("shots",))).to_plain()
    assert not DataSource(other).with_folders_of(plain).folders
    named = DataSource(root, Folders(good=("ng",)))
    assert named.with_folders_of(plain) == named
    assert DataSource(root).with_folders_of(None) == DataSource(root)


def test_an_image_belongs_to_the_innermost_folder_that_is_named(make_files):
    root = make_files("parts", "0.png", "later/1.png", "ng/2.png", "ng/white/2.png", "x/3.png")
    folders = Folders(good=(".",), test_good=("later",), defective=("ng",), masks=("ng/white",))
    assert listed(open_category(DataSource(root, folders))) == [
        ("train", "good", "0.png", None),
        ("train", "good", "x/3.png", None),
        ("test", "good", "later/1.png", None),
        ("test", "ng", "ng/2.png", "ng/white/2.png"),
    ]


def test_a_folder_named_twice_is_refused(make_files):
    root = make_files("parts", *FILES)
    folders = Folders(good=("shots",), defective=("ng", "shots/"))
    with pytest.raises(UsageError, match="shots is named twice"):
        open_category(DataSource(root, folders))
