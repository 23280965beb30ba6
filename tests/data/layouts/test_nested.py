"""Images in folders of folders, and the masks that belong to them."""

from rcae.data.layouts.category import open_category
from tests.data.conftest import listed


def masks_of(root):
    return {row[2]: row[3] for row in listed(open_category(root)) if row[1] != "good"}


def test_masks_lie_in_the_same_places_as_their_images(make_files):
    root = make_files(
        "parts",
        "train/good/a/0.png",
        "test/crack/0.png",
        "test/crack/cam2/0.png",
        "ground_truth/crack/0_mask.png",
        "ground_truth/crack/cam2/0_mask.png",
    )
    assert masks_of(root) == {
        "test/crack/0.png": "ground_truth/crack/0_mask.png",
        "test/crack/cam2/0.png": "ground_truth/crack/cam2/0_mask.png",
    }


def test_a_name_that_only_one_image_has_finds_its_mask_anywhere(make_files):
    root = make_files(
        *("parts", "train/good/0.png", "test/crack/cam1/0.png", "test/crack/cam2/1.png"),
        *(
            "test/crack/cam3/1.png",
            "ground_truth/crack/0_mask.png",
            "ground_truth/crack/1_mask.png",
        ),
    )
    assert masks_of(root) == {
        "test/crack/cam1/0.png": "ground_truth/crack/0_mask.png",
        "test/crack/cam2/1.png": None,
        "test/crack/cam3/1.png": None,
    }


def test_a_folder_of_masks_within_a_type_holds_the_masks_of_that_type_alone(make_files):
    root = make_files(
        *("parts", "good/0.png", "crack/1.png", "crack/masks/1.png", "dent/1.png"),
    )
    assert masks_of(root) == {"crack/1.png": "crack/masks/1.png", "dent/1.png": None}


def test_an_image_named_like_its_type_has_its_own_mask(make_files):
    root = make_files(
        *("parts", "good/0.png", "crack/crack.png", "crack/1.png"),
        *("masks/crack/crack.png", "masks/crack/1.png"),
    )
    assert masks_of(root) == {
        "crack/1.png": "masks/crack/1.png",
        "crack/crack.png": "masks/crack/crack.png",
    }


def test_folders_beside_images_without_a_folder_of_good_ones_stay_unread(make_files):
    assert len(open_category(make_files("parts", "0.png", "deeper/1.png")).samples) == 1


def test_a_link_that_leads_back_is_entered_once(make_files):
    root = make_files("parts", "good/0.png", "crack/1.png", "masks/crack/1.png")
    for folder in ("good", "crack", "masks"):
        (root / folder / "back").symlink_to(root / folder, target_is_directory=True)
    assert [row[2] for row in listed(open_category(root))] == ["good/0.png", "crack/1.png"]
    assert masks_of(root) == {"crack/1.png": "masks/crack/1.png"}
