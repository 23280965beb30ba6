from pathlib import Path

import pytest

from rcae.base.errors import DataError
from rcae.data.layouts.category import open_category
from tests.data.conftest import listed

TABLE_HEADER = "object,split,label,image,mask\n"


@pytest.fixture
def visa(make_files, tmp_path):
    """VisA as published: two objects in one table; the split is the table's alone."""

    def make(rows, header=TABLE_HEADER):
        root = make_files(
            "VisA/candle",
            "Data/Images/Normal/0000.JPG",
            "Data/Images/Normal/0001.JPG",
            "Data/Images/Anomaly/000.JPG",
            "Data/Masks/Anomaly/000.png",
            "Data/Masks/Anomaly/777.png",
            "image_anno.csv",
        )
        table = tmp_path / "VisA" / "split_csv" / "1cls.csv"
        table.parent.mkdir(exist_ok=True)
        table.write_bytes((header + rows).encode())
        return root

    return make


VISA_ROWS = (
    "candle,test,normal,candle/Data/Images/Normal/0000.JPG,\n"
    "candle,train,normal,candle/Data/Images/Normal/0001.JPG,\n"
    "candle,test,anomaly,candle/Data/Images/Anomaly/000.JPG,candle/Data/Masks/Anomaly/000.png\n"
    "pcb1,train,normal,pcb1/Data/Images/Normal/0000.JPG,\n"
)


@pytest.mark.parametrize("mark", ["", "\ufeff"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_visa_as_published_or_saved_again_by_a_spreadsheet(visa, mark, end):
    category = open_category(visa(VISA_ROWS.replace("\n", end), header=mark + TABLE_HEADER))
    assert (category.name, category.layout) == ("candle", "visa_raw")
    mask = "Data/Masks/Anomaly/000.png"
    assert listed(category) == [
        ("train", "good", "Data/Images/Normal/0001.JPG", None),
        ("test", "anomaly", "Data/Images/Anomaly/000.JPG", mask),
        ("test", "good", "Data/Images/Normal/0000.JPG", None),
    ]
    assert [sample.mask_reading.indexed for sample in category.test] == [True, False]
    assert [path.name for path in category.unused_masks] == ["777.png"]


def test_visa_opened_from_inside_its_folder(visa, monkeypatch):
    root = visa(VISA_ROWS)
    monkeypatch.chdir(root)
    category = open_category(Path())
    assert category.name == "candle"
    assert category.train_good[0].path.as_posix() == "Data/Images/Normal/0001.JPG"


@pytest.mark.parametrize(
    ("rows", "header", "reason"),
    [
        ("pcb1,train,normal,pcb1/0.JPG,\n", TABLE_HEADER, "no row for the object 'candle'"),
        (VISA_ROWS, "object,set,label,image,mask\n", "lacks the columns split"),
        ("candle,validate,normal,candle/0.JPG,\n", TABLE_HEADER, r"line 2: split is 'validate'"),
        ("candle,test,broken,candle/0.JPG,\n", TABLE_HEADER, r"line 2: .* label 'broken'"),
        ("candle,test,normal,pcb1/0.JPG,\n", TABLE_HEADER, "'pcb1/0.JPG' does not lie in"),
        ("candle,test,normal,candle/../0.JPG,\n", TABLE_HEADER, "does not lie in"),
        ("candle,test,normal,/etc/0.JPG,\n", TABLE_HEADER, "does not lie in"),
        ("candle,test\n", TABLE_HEADER, "label ''"),
        ("", "", "lacks the columns image, label, mask, object, split"),
    ],
)
def test_a_wrong_visa_table_is_named_with_its_line(visa, rows, header, reason):
    with pytest.raises(DataError, match=r"1cls\.csv") as caught:
        open_category(visa(rows, header))
    assert caught.match(reason)


def test_a_visa_table_that_is_no_text_is_named(visa, tmp_path):
    root = visa(VISA_ROWS)
    (tmp_path / "VisA" / "split_csv" / "1cls.csv").write_bytes(b"object\xff\xfe")
    with pytest.raises(DataError, match=r"1cls\.csv is no CSV text"):
        open_category(root)


def test_visa_without_its_table_is_named(make_files):
    with pytest.raises(DataError, match=r"1cls\.csv cannot be read \(No such file"):
        open_category(make_files("VisA/candle", "Data/Images/Normal/0000.JPG"))
