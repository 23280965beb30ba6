import json
import os
import shutil

from rcae.data.doctor.examine import examine


def test_json_holds_all_that_was_found_even_names_that_are_no_text(mvtec):
    (mvtec / "train" / "good" / os.fsdecode(b"caf\xe9\n.png")).write_bytes(b"")
    diagnosis = examine(mvtec)
    told = json.loads(json.dumps(diagnosis.to_json(), ensure_ascii=False).encode())
    assert told["category"] == "Schraube klein Ø3"
    assert told["counts"] == diagnosis.counts
    assert told["sizes"] == [{"height_px": 24, "width_px": 20, "count": 47}]
    assert (told["can_train"], told["can_evaluate"], told["ok"]) == (False, True, False)
    (finding,) = told["findings"]
    assert finding["path"].endswith("good/caf\\udce9\\n.png")
    assert (finding["severity"], finding["code"]) == ("error", "unreadable-image")
    assert "empty" in finding["message"]


def test_the_text_of_a_clean_category(mvtec):
    assert str(examine(mvtec)) == (
        "Schraube klein Ø3: MVTec AD layout\n"
        "\n"
        "  train  good       40\n"
        "  test   good        3\n"
        "  test   bent        2\n"
        "  test   crack       2\n"
        "  size   20x24 px\n"
        "\n"
        "Training can run, evaluation can run."
    )


def test_the_text_groups_findings_shows_ten_paths_and_counts_the_rest(mvtec, write_part):
    for number in range(12):
        (mvtec / "train" / "good" / f"{number:03d}.png").write_bytes(b"")
    shutil.copy(mvtec / "test" / "good" / "001.png", mvtec / "test" / "good" / "copy.png")
    text = str(examine(mvtec))
    blocks = text.split("\n\n")
    assert blocks[2].startswith("error: unreadable-image (12)\n  is empty (0 bytes); ")
    assert blocks[2].endswith("\n    train/good/009.png\n    ... and 2 more")
    assert blocks[3] == (
        "warning: duplicate-image (1)\n"
        "  test/good/copy.png is a copy of test/good/001.png; remove one of them."
    )
    assert blocks[4] == "Training cannot run, evaluation can run; see the errors above."


def test_the_text_gives_each_path_its_own_reason_where_they_differ(mvtec):
    (mvtec / "train" / "good" / "000.png").write_bytes(b"")
    (mvtec / "train" / "good" / "001.png").write_text("text")
    text = str(examine(mvtec))
    assert "\n  train/good/000.png is empty (0 bytes)" in text
    assert "\n  train/good/001.png is not a PNG" in text


def test_the_text_shows_notes_and_the_range_of_sizes(tmp_path, write_part):
    for number in range(25):
        write_part(tmp_path / "parts" / "good" / f"{number}.png", height=20 + number, width=30)
    write_part(tmp_path / "parts" / "scratch" / "0.png", height=90, width=30)
    text = str(examine(tmp_path / "parts"))
    assert "  size   26 sizes, 30 px wide and 20 to 90 px high" in text
    assert "\n\nnote: Every fifth good image" in text


def test_the_text_of_a_category_without_a_readable_image(tmp_path):
    (tmp_path / "a.png").write_bytes(b"")
    text = str(examine(tmp_path))
    assert "no image is readable" in text
    assert text.endswith("Training cannot run, evaluation cannot run; see the errors above.")


def test_a_file_name_cannot_write_to_the_terminal(mvtec):
    (mvtec / "train" / "good" / "a\x1b[2J\n\x07.png").write_bytes(b"")
    text = str(examine(mvtec))
    assert "a\\x1b[2J\\n\\x07.png is empty" in text
    assert all(c.isprintable() or c == "\n" for c in text)
