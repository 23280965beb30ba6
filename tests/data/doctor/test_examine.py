import errno
import shutil

import numpy as np
import pytest
from PIL import Image

from rcae.base.errors import DataError, UsageError
from rcae.base.progress import following
from rcae.data import images as images_module
from rcae.data.doctor.examine import examine
from tests.data.conftest import draw_part, png_header


def found(diagnosis):
    """(severity, code, path below the category) of each finding."""
    return [
        (f.severity, f.code, f.path.relative_to(diagnosis.root).as_posix())
        for f in diagnosis.findings
    ]


def only_finding(root):
    diagnosis = examine(root)
    assert len(diagnosis.findings) == 1, diagnosis.findings
    return diagnosis, diagnosis.findings[0]


def test_a_clean_category_is_ok(mvtec):
    diagnosis = examine(mvtec)
    assert diagnosis.findings == ()
    assert (diagnosis.ok, diagnosis.can_train, diagnosis.can_evaluate) == (True, True, True)
    assert diagnosis.counts == {"train": {"good": 40}, "test": {"good": 3, "bent": 2, "crack": 2}}
    assert list(diagnosis.counts["test"]) == ["good", "bent", "crack"]
    assert diagnosis.sizes == {(24, 20): 47}


def test_a_folder_that_does_not_exist_or_fits_no_layout_is_refused(tmp_path):
    with pytest.raises(UsageError, match="does not exist"):
        examine(tmp_path / "nowhere")
    with pytest.raises(DataError, match="fits no layout"):
        examine(tmp_path)


def _truncate(path):
    path.write_bytes(path.read_bytes()[:200])


def _empty(path):
    path.write_bytes(b"")


def _text(path):
    path.write_text("text")


def _tiny(path):
    Image.new("RGB", (1, 1)).save(path)


def _huge(path):
    path.write_bytes(png_header(60_000, 60_000))


def _link_to_itself(path):
    path.unlink()
    path.symlink_to(path.name)


BREAK = {
    _truncate: "damaged",
    _empty: "empty",
    _text: "is not a PNG",
    _tiny: "is 1x1 px",
    _huge: "megapixels",
    _link_to_itself: "symbolic links",
}


@pytest.mark.parametrize("damage", BREAK, ids=lambda damage: damage.__name__.strip("_"))
@pytest.mark.parametrize(
    ("name", "can_train"), [("train/good/007.png", False), ("test/crack/001.png", True)]
)
def test_an_unreadable_image_stops_what_would_read_it(mvtec, damage, name, can_train):
    damage(mvtec / name)
    diagnosis, finding = only_finding(mvtec)
    assert found(diagnosis) == [("error", "unreadable-image", name)]
    assert (diagnosis.can_train, diagnosis.can_evaluate) == (can_train, not can_train)
    assert diagnosis.sizes == {(24, 20): 46}
    assert BREAK[damage] in finding.message
    assert str(mvtec) not in finding.message


def test_an_image_that_may_not_be_read_is_listed(mvtec, monkeypatch):
    locked = mvtec / "test" / "good" / "001.png"
    real_open = type(locked).open

    def refuse(path, *args, **options):
        if path == locked:
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return real_open(path, *args, **options)

    monkeypatch.setattr(type(locked), "open", refuse)
    _, finding = only_finding(mvtec)
    assert (finding.path, finding.code) == (locked, "unreadable-image")
    assert "Permission denied" in finding.message


def test_every_problem_is_listed_and_not_only_the_first(mvtec):
    for number in (3, 5):
        _empty(mvtec / "train" / "good" / f"{number:03d}.png")
    _text(mvtec / "test" / "crack" / "000.png")
    _empty(mvtec / "ground_truth" / "crack" / "000_mask.png")
    diagnosis = examine(mvtec)
    assert found(diagnosis) == [
        ("error", "unreadable-image", "train/good/003.png"),
        ("error", "unreadable-image", "train/good/005.png"),
        ("error", "unreadable-image", "test/crack/000.png"),
        ("error", "unreadable-mask", "ground_truth/crack/000_mask.png"),
    ]
    assert not diagnosis.ok


def test_fifteen_good_images_are_too_few_to_train_on_and_sixteen_enough(mvtec):
    for number in range(16, 40):
        (mvtec / "train" / "good" / f"{number:03d}.png").unlink()
    assert examine(mvtec).ok
    (mvtec / "train" / "good" / "015.png").unlink()
    diagnosis, finding = only_finding(mvtec)
    assert (finding.severity, finding.code) == ("error", "too-few-training-images")
    assert finding.message.startswith("has 15 good training images")
    assert (diagnosis.can_train, diagnosis.can_evaluate) == (False, True)


def test_an_unreadable_image_does_not_count_as_one_to_train_on(mvtec):
    for number in range(16, 40):
        (mvtec / "train" / "good" / f"{number:03d}.png").unlink()
    _empty(mvtec / "train" / "good" / "015.png")
    codes = {finding.code for finding in examine(mvtec).findings}
    assert codes == {"unreadable-image", "too-few-training-images"}


@pytest.mark.parametrize(
    ("gone", "code"),
    [(["good"], "no-good-test-image"), (["crack", "bent"], "no-defective-test-image")],
)
def test_without_good_or_defective_test_images_nothing_can_be_evaluated(mvtec, gone, code):
    for name in gone:
        shutil.rmtree(mvtec / "test" / name)
        shutil.rmtree(mvtec / "ground_truth" / name, ignore_errors=True)
    diagnosis, finding = only_finding(mvtec)
    assert (finding.severity, finding.code, finding.path) == ("error", code, mvtec)
    assert (diagnosis.can_train, diagnosis.can_evaluate) == (True, False)


def test_training_images_alone_can_be_trained_on_only(mvtec):
    shutil.rmtree(mvtec / "test")
    shutil.rmtree(mvtec / "ground_truth")
    diagnosis = examine(mvtec)
    assert found(diagnosis) == []
    assert (diagnosis.can_train, diagnosis.can_evaluate, diagnosis.ok) == (True, False, True)
    assert diagnosis.allows(None)
    assert diagnosis.allows("train")
    assert not diagnosis.allows("evaluate")
    expected = "Training can run; to evaluate, add good and defective test images."
    assert str(diagnosis).splitlines()[-1] == expected


def test_copies_within_a_split_are_warnings(mvtec):
    shutil.copy(mvtec / "train" / "good" / "000.png", mvtec / "train" / "good" / "copy 1.png")
    shutil.copy(mvtec / "train" / "good" / "000.png", mvtec / "train" / "good" / "copy 2.png")
    diagnosis = examine(mvtec)
    assert found(diagnosis) == [
        ("warning", "duplicate-image", "train/good/copy 1.png"),
        ("warning", "duplicate-image", "train/good/copy 2.png"),
    ]
    assert {f.message for f in diagnosis.findings} == {
        "is a copy of train/good/000.png; remove one of them."
    }
    assert diagnosis.ok


def test_too_many_copies_leave_nothing_to_calibrate_with(mvtec):
    originals = sorted((mvtec / "train" / "good").iterdir())
    for original in originals[:35]:
        shutil.copy(original, original.with_name(f"copy of {original.name}"))
    diagnosis = examine(mvtec)
    errors = [f for f in diagnosis.findings if f.severity == "error"]
    assert [f.code for f in errors] == ["too-few-training-images"]
    assert "75 good training images, 5 of them without a copy" in errors[0].message
    assert not diagnosis.can_train


@pytest.mark.parametrize("kind", ["good", "crack"])
def test_an_image_in_training_and_test_makes_the_evaluation_worthless(mvtec, kind):
    shutil.copy(mvtec / "train" / "good" / "003.png", mvtec / "test" / kind / "000.png")
    diagnosis, finding = only_finding(mvtec)
    assert found(diagnosis) == [("error", "in-train-and-test", f"test/{kind}/000.png")]
    assert "train/good/003.png" in finding.message
    assert (diagnosis.can_train, diagnosis.can_evaluate) == (True, False)


def test_an_image_of_another_size_than_nearly_all_is_a_warning(mvtec, write_part):
    write_part(mvtec / "train" / "good" / "odd.png", height=30, width=40)
    diagnosis, finding = only_finding(mvtec)
    assert found(diagnosis) == [("warning", "odd-size", "train/good/odd.png")]
    assert "is 40x30 px, unlike nearly all others (20x24 px)" in finding.message
    assert diagnosis.ok


def test_sizes_that_vary_are_no_finding(mvtec, write_part):
    for number in range(3):  # 3 of 50 are more than 5 percent
        write_part(mvtec / "train" / "good" / f"odd{number}.png", height=30 + number)
    diagnosis = examine(mvtec)
    assert diagnosis.findings == ()
    assert diagnosis.sizes == {(24, 20): 47, (30, 20): 1, (31, 20): 1, (32, 20): 1}


@pytest.mark.parametrize(
    ("good", "defective", "says"), [(90, 100, "brighter"), (100, 90, "darker")]
)
def test_good_and_defective_images_under_other_light_are_a_warning(tmp_path, good, defective, says):
    """MVTec AD's screw is one: there brightness alone reaches what good detectors do not."""
    for folder, level in (("train/good", 95), ("test/good", good), ("test/bent", defective)):
        write_grey(tmp_path / folder, [level + number % 4 for number in range(16)])
    findings = examine(tmp_path).findings
    (finding,) = [one for one in findings if one.code == "telling-light"]
    assert finding.severity == "warning"
    assert f"has {says} defective" in finding.message
    assert "1.000" in finding.message


def test_light_that_differs_as_much_among_good_images_is_no_finding(tmp_path):
    for folder, level in (("train/good", 90), ("test/good", 90), ("test/bent", 92)):
        write_grey(tmp_path / folder, [level + number for number in range(16)])
    assert "telling-light" not in [one.code for one in examine(tmp_path).findings]


def test_every_property_that_gives_the_label_away_is_a_warning(mvtec):
    for folder in ("ground_truth", "test/bent", "test/crack"):
        shutil.rmtree(mvtec / folder)
    (mvtec / "test" / "crack").mkdir()
    for number in range(10):
        image = Image.fromarray(draw_part(100 + number))
        image.save(mvtec / "test" / "good" / f"{number:03d}.png")
        image.resize((40, 30)).convert("L").save(mvtec / "test" / "crack" / f"{number:03d}.bmp")
    found = [one for one in examine(mvtec).findings if one.code.startswith("telling")]
    assert [one.code for one in found] == [
        "telling-size",
        "telling-aspect",
        "telling-contrast",
        "telling-sharpness",
        "telling-kind",
    ]
    assert {(one.severity, one.path) for one in found} == {("warning", mvtec)}


def write_grey(folder, levels):
    folder.mkdir(parents=True)
    for number, level in enumerate(levels):
        pixels = np.full((20, 20), level, dtype=np.uint8)
        pixels[0, 0] = number  # no two are copies
        Image.fromarray(pixels).save(folder / f"{number:02d}.png")


def test_an_image_of_another_kind_than_nearly_all_is_a_warning(mvtec):
    path = mvtec / "test" / "good" / "001.png"
    Image.open(path).convert("L").save(path)
    diagnosis, finding = only_finding(mvtec)
    assert found(diagnosis) == [("warning", "odd-kind", "test/good/001.png")]
    assert "is 8-bit grey, unlike nearly all others (8-bit RGB)" in finding.message
    assert diagnosis.ok


def test_a_missing_mask_is_an_error_where_others_have_one(mvtec):
    (mvtec / "ground_truth" / "crack" / "001_mask.png").unlink()
    diagnosis, _ = only_finding(mvtec)
    assert found(diagnosis) == [("error", "missing-mask", "test/crack/001.png")]
    assert (diagnosis.can_train, diagnosis.can_evaluate) == (True, False)


def test_no_mask_at_all_is_one_warning(mvtec):
    shutil.rmtree(mvtec / "ground_truth")
    diagnosis, finding = only_finding(mvtec)
    assert (finding.severity, finding.code, finding.path) == ("warning", "no-masks", mvtec)
    assert diagnosis.ok


def test_a_mask_of_another_size_than_its_image_is_an_error(mvtec, write_mask):
    write_mask(mvtec / "ground_truth" / "crack" / "000_mask.png", height=20, width=24)
    diagnosis, finding = only_finding(mvtec)
    assert found(diagnosis) == [("error", "wrong-mask-size", "ground_truth/crack/000_mask.png")]
    assert "is 24x20 px, its image 20x24 px" in finding.message
    assert not diagnosis.can_evaluate


def test_a_black_mask_marks_nothing(mvtec, write_mask):
    write_mask(mvtec / "ground_truth" / "crack" / "000_mask.png", value=0)
    diagnosis, _ = only_finding(mvtec)
    assert found(diagnosis) == [("error", "empty-mask", "ground_truth/crack/000_mask.png")]
    assert not diagnosis.can_evaluate


def test_a_mask_saved_with_ones_instead_of_255_marks_its_defect(mvtec, write_mask):
    write_mask(mvtec / "ground_truth" / "crack" / "000_mask.png", value=1)
    assert found(examine(mvtec)) == []


def test_masks_that_are_white_where_the_part_is_good_are_refused(mvtec):
    for path in (mvtec / "ground_truth").rglob("*.png"):
        inverted = 255 - np.asarray(Image.open(path).convert("L"))
        Image.fromarray(inverted).save(path)
    diagnosis = examine(mvtec)
    assert ("error", "inverted-masks", ".") in found(diagnosis)
    assert not diagnosis.can_evaluate


def test_an_unreadable_mask_is_an_error(mvtec):
    _truncate(mvtec / "ground_truth" / "crack" / "000_mask.png")
    (mvtec / "ground_truth" / "bent" / "000_mask.png").write_bytes(b"")
    diagnosis = examine(mvtec)
    assert ("error", "unreadable-mask", "ground_truth/bent/000_mask.png") in found(diagnosis)
    assert (diagnosis.can_train, diagnosis.can_evaluate) == (True, False)


def test_masks_of_good_images_or_of_none_are_warnings(mvtec, write_mask):
    write_mask(mvtec / "ground_truth" / "good" / "000_mask.png")
    write_mask(mvtec / "ground_truth" / "crack" / "999_mask.png")
    diagnosis = examine(mvtec)
    assert found(diagnosis) == [
        ("warning", "unused-mask", "ground_truth/crack/999_mask.png"),
        ("warning", "unused-mask", "ground_truth/good/000_mask.png"),
    ]
    assert diagnosis.ok


def test_class_numbers_in_visa_masks_are_defects(tmp_path, write_part, write_mask):
    rows = ["object,split,label,image,mask"]
    root = tmp_path / "VisA" / "candle"
    for number in range(18):
        write_part(root / "Data" / "Images" / "Normal" / f"{number:04d}.png")
        split = "train" if number < 16 else "test"
        rows.append(f"candle,{split},normal,candle/Data/Images/Normal/{number:04d}.png,")
    for number in range(2):
        write_part(root / "Data" / "Images" / "Anomaly" / f"{number:03d}.png")
        write_mask(root / "Data" / "Masks" / "Anomaly" / f"{number:03d}.png", value=number + 1)
        names = [f"candle/Data/{kind}/Anomaly/{number:03d}.png" for kind in ("Images", "Masks")]
        rows.append(f"candle,test,anomaly,{names[0]},{names[1]}")
    (tmp_path / "VisA" / "split_csv").mkdir()
    (tmp_path / "VisA" / "split_csv" / "1cls.csv").write_text("\n".join(rows))
    diagnosis = examine(root)
    assert (diagnosis.findings, diagnosis.layout) == ((), "visa_raw")
    assert diagnosis.counts == {"train": {"good": 16}, "test": {"good": 2, "anomaly": 2}}
    (root / "Data" / "Masks" / "Anomaly" / "001.png").unlink()
    assert [finding.code for finding in examine(root).findings] == ["unreadable-mask"]


def test_a_plain_folder_is_noted_and_counted_as_it_is_split(tmp_path, write_part):
    for number in range(25):
        write_part(tmp_path / "parts" / "good" / f"{number}.png")
    write_part(tmp_path / "parts" / "scratch" / "0.png")
    diagnosis = examine(tmp_path / "parts")
    assert diagnosis.counts == {"train": {"good": 20}, "test": {"good": 5, "scratch": 1}}
    assert len(diagnosis.notes) == 1
    assert diagnosis.ok


def test_each_image_and_mask_is_decoded_once(mvtec, monkeypatch):
    decoded = []
    real_decode = images_module.decode

    def decode(path, **options):
        decoded.append(path)
        return real_decode(path, **options)

    monkeypatch.setattr(images_module, "decode", decode)
    examine(mvtec)
    assert sorted(decoded) == sorted(mvtec.rglob("*.png"))


def test_progress_sees_each_image_once(mvtec):
    seen = []
    with following(quiet=True, callbacks=[seen.append]):
        examine(mvtec)
    assert [state.done for state in seen if state.doing == "examining"] == list(range(1, 48))
