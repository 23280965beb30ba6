"""`rcae history`, as a user runs it: a table, files for other programs, a report."""

import csv
import io
import json
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from PIL import Image
from pyarrow import parquet

from rcae.base.extras import install_command
from rcae.detector.detection import Region
from rcae.evaluation.metrics.intervals import proportion_interval
from rcae.line.history import export
from rcae.line.history.summary import WORST, summarise
from rcae.line.record.inspection import Query, Review
from rcae.line.record.kept_images import KeptImages
from rcae.line.record.record import Record
from tests.evaluation.test_report import HOSTILE, Page, require_self_contained
from tests.line.record.conftest import REGION, START, inspected

IDS = [f"{number:032x}" for number in range(100)]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Where the user is, in a time zone whose days are not those of UTC."""
    monkeypatch.setenv("TZ", "Asia/Kathmandu")  # UTC+5:45
    time.tzset()
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    monkeypatch.undo()
    time.tzset()


@pytest.fixture
def record(folder):
    opened = Record.open("inspections.sqlite")
    yield opened
    opened.close()


@pytest.fixture
def filled(record):
    """Thirty inspections, a minute each: every third rejected, some reviewed, two models."""
    record.add(
        [
            inspected(
                number,
                is_defective=number % 3 == 0,
                anomaly_score=number / 10,
                regions=(REGION,) * (number % 3 == 0),
                model="parts" if number <= 20 else "screws",
            )
            for number in range(1, 31)
        ]
    )
    for number, verdict in ((3, "defect"), (6, "good"), (9, "good"), (1, "good"), (2, "defect")):
        record.review(IDS[number], Review(verdict, "Ada", f'said\n"{number}"', START))
    record.review(IDS[9], Review("defect", "Bob", "", START))
    return record


def numbers(out):
    return [int(line.split()[0]) for line in out.splitlines()[1:]]


def test_the_newest_come_first_and_what_is_left_out_is_said(rcae, filled):
    code, out, err = rcae("history", "--limit", 3)
    assert (code, numbers(out)) == (0, [30, 29, 28])
    assert "the newest 3 of 30; --limit 30 prints all" in err
    code, out, err = rcae("history")
    assert (code, numbers(out), err) == (0, list(range(30, 0, -1)), "")
    line = out.splitlines()[-9]
    expected = "9 2026-11-01 11:54:00 parts 0.9 1 defective defect line-3/0009.png"
    assert " ".join(line.split()) == expected


def test_every_filter_chooses_and_they_are_joined(rcae, filled):
    def found(*options):
        code, out, _ = rcae("history", *options)
        assert code == 0
        return numbers(out)

    assert found("--defective", "--model", "screws") == [30, 27, 24, 21]
    assert found("--good", "--reviewed", "defect") == [2]
    assert found("--reviewed", "good") == [6, 1]
    assert found("--reviewed", "not", "--defective", "--model", "parts") == [18, 15, 12]
    assert found("--borderline", "0.15") == [11, 10, 9]
    assert found("--source", "002") == [29, 28, 27, 26, 25, 24, 23, 22, 21, 20, 2]
    # 06:10 UTC is 11:55 in Kathmandu, whose time is meant unless another is given
    assert found("--since", "2026-11-01T11:55", "--until", "2026-11-01T11:57") == [11, 10]
    assert found("--since", "2026-11-01T06:10Z", "--until", "2026-11-01T06:12+00:00") == [11, 10]
    assert found("--until", "2026-11-01") == []


def test_a_month_is_that_of_this_computers_time_zone(rcae, record):
    before, first = datetime(2026, 11, 30, 18, 14, 59), datetime(2026, 11, 30, 18, 15)
    last, after = datetime(2026, 12, 31, 18, 14, 59), datetime(2026, 12, 31, 18, 15)
    moments = [moment.replace(tzinfo=UTC) for moment in (before, first, last, after)]
    record.add([inspected(number, time=moment) for number, moment in enumerate(moments)])
    assert numbers(rcae("history", "--month", "2026-12")[1]) == [3, 2]


def test_json_is_an_object_a_line_oldest_first(rcae, filled):
    code, out, _ = rcae("history", "--json", "--defective")
    rows = [json.loads(line) for line in out.splitlines()]
    assert (code, [row["number"] for row in rows]) == (0, list(range(3, 31, 3)))
    assert rows[0]["reviews"][0]["note"] == 'said\n"3"'
    assert rows[0]["regions"][0]["peak"] == 1.5


def test_csv_holds_every_value_as_it_was(rcae, filled, folder):
    code, out, _ = rcae("history", "--defective", "-o", "all.csv")
    assert (code, out) == (0, "10 inspections: all.csv\n")
    with (folder / "all.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 10
    for row, one in zip(rows, filled.each(Query(is_defective=True)), strict=True):
        for name in ("number", "width_px", "height_px"):
            assert int(row[name]) == getattr(one, name)
        for name in ("anomaly_score", "p_value", "threshold", "duration_s"):
            assert float(row[name]) == getattr(one, name)
        for name in ("id", "source", "image_sha256", "model", "model_sha256"):
            assert row[name] == getattr(one, name)
        assert datetime.fromisoformat(row["time"]) == one.time
        assert row["is_defective"] == "true"
        assert tuple(Region(**region) for region in json.loads(row["regions"])) == one.regions
    assert (rows[0]["verdict"], rows[0]["author"], rows[0]["note"]) == (
        ("defect", "Ada", 'said\n"3"')
    )
    assert (rows[2]["verdict"], rows[2]["author"], rows[2]["note"]) == ("defect", "Bob", "")
    assert datetime.fromisoformat(rows[0]["reviewed"]) == START
    assert [rows[5][name] for name in ("verdict", "author", "note", "reviewed")] == [""] * 4


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t="])
def test_no_text_in_a_csv_is_a_formula_to_a_spreadsheet(rcae, record, folder, start):
    record.add([inspected(1, source=f"{start}cmd|'/c calc'!A1", anomaly_score=-1.5)])
    record.review(IDS[1], Review("good", f"{start}Ada", f"{start}note", START))
    assert rcae("history", "-o", "all.csv")[0] == 0
    with (folder / "all.csv").open(newline="", encoding="utf-8") as file:
        (row,) = csv.DictReader(file)
    assert row["source"] == f"'{start}cmd|'/c calc'!A1"
    assert (row["author"], row["note"]) == (f"'{start}Ada", f"'{start}note")
    assert float(row["anomaly_score"]) == -1.5


def test_parquet_holds_the_same_in_types_of_its_own(rcae, filled, folder, monkeypatch):
    monkeypatch.setattr(export, "ROWS_AT_ONCE", 7)
    assert rcae("history", "-o", "all.parquet")[:2] == (0, "30 inspections: all.parquet\n")
    file = parquet.ParquetFile(folder / "all.parquet")
    assert file.metadata.num_row_groups == 5
    rows = file.read().to_pylist()
    for found, one in zip(rows, filled.each(Query()), strict=True):
        expected = export.row(one)
        assert found == {name: expected[name] for name in export.COLUMNS}
    assert rows[2]["time"] == START + timedelta(minutes=3)
    assert str(file.schema_arrow.field("time").type) == "timestamp[us, tz=UTC]"
    assert str(file.schema_arrow.field("is_defective").type) == "bool"
    assert rows[0]["regions"] == []
    assert rows[3]["verdict"] is None


@pytest.mark.parametrize("name", ["all.csv", "all.parquet", "all.html"])
def test_nothing_found_is_a_file_all_the_same(rcae, record, folder, name):
    assert rcae("history", "-o", name)[:2] == (0, f"0 inspections: {name}\n")
    assert (folder / name).stat().st_size > 0


@pytest.mark.parametrize("name", ["all.csv", "all.parquet", "all.html"])
def test_a_record_that_fails_half_way_leaves_the_old_file(rcae, filled, folder, name, monkeypatch):
    from rcae.base.errors import StorageError

    def failing(self, query, **_):
        yield filled.get(IDS[1])
        raise StorageError("the record went away.")

    (folder / name).write_text("old")
    monkeypatch.setattr(Record, "each", failing)
    code, out, err = rcae("history", "-o", name)
    assert (code, out) == (5, "")
    assert "the record went away" in err
    assert (folder / name).read_text() == "old"
    assert not list(folder.glob("*.part"))


def read_page(folder):
    """The report, which is well-formed and complete in itself."""
    text = (folder / "report.html").read_text(encoding="utf-8")
    page = Page()
    page.feed(text)
    page.close()
    assert page.open == []
    require_self_contained(page, folder / "report.html")
    return text


def test_the_report_says_what_was_counted(rcae, filled, folder):
    filled.apply_threshold("1b" * 32, 1.0, 1.0, "Grace", "glare of the new lamp")
    assert rcae("history", "-o", "report.html")[:2] == (0, "30 inspections: report.html\n")
    text = read_page(folder)
    plain = " ".join(text.split())
    assert "Inspections of 2026-11-01" in plain
    assert "6 of 20</p>" in plain  # rejected by "parts"
    low, high = proportion_interval(6, 20)
    assert f"{100 * low:.1f} % to {100 * high:.1f} %" in plain
    assert "1 of 3 rejected images that people looked at" in plain
    assert "2 are defective, they say; 3 nobody looked at" in plain
    assert "1 of 2 accepted images that people looked at" in plain
    assert "4 of 10</p>" in plain  # rejected by "screws"
    assert "threshold 1, calibrated 1</td><td>Grace</td><td>glare of the new lamp" in plain
    assert "calibration" in plain  # Grace's came later than the first decision


def test_the_report_shows_what_is_kept_with_what_reached_the_threshold(rcae, record, folder):
    kept = KeptImages(folder / "inspections-images", 100)
    for number, height_px in ((1, 40), (2, 80), (4, 60)):
        buffer = io.BytesIO()
        Image.new("RGB", (60, height_px), (90, 90, 90)).save(buffer, "PNG")
        drawn = np.zeros((20, 30), np.float32)
        drawn[5:10, 5:10] = 3
        (one,) = record.add([inspected(number, is_defective=True, anomaly_score=3.0 + number)])
        kept.keep(one, buffer.getvalue(), drawn)
    kept._file(one.id).write_bytes(b"PK half a file")
    record.add([inspected(3, is_defective=True, anomaly_score=9.0)])
    assert rcae("history", "--month", "2026-11", "-o", "report.html")[0] == 0
    text = read_page(folder)
    assert text.index("line-3/0002.png: score 5,") < text.index("line-3/0001.png: score 4,")
    assert "Of 2 the picture is not kept any more, or cannot be read" in text
    assert text.count("data:image/jpeg") == 2


@pytest.mark.parametrize(
    ("days", "expected"), [([15], "CET"), ([180], "CEST"), ([15, 180], "CET and CEST")]
)
def test_the_report_names_the_time_zone_of_the_days_it_shows(
    rcae, record, folder, monkeypatch, days, expected
):
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    first = datetime(2026, 1, 1, 12, tzinfo=UTC)
    record.add([inspected(day, time=first + timedelta(days=day)) for day in days])
    assert rcae("history", "-o", "report.html")[0] == 0
    assert f"in the time zone {expected}." in read_page(folder)


def test_hostile_names_do_nothing_in_the_report(rcae, record, folder):
    record.add([inspected(1, source=HOSTILE, model=HOSTILE, is_defective=True)])
    record.review(IDS[1], Review("good", HOSTILE, HOSTILE, START))
    assert rcae("history", "-o", "report.html")[0] == 0
    read_page(folder)


def test_hostile_names_do_nothing_on_a_terminal(rcae, record):
    record.add([inspected(1, source="\x1b[31mred\n\x00", model="\x07")])
    out = rcae("history")[1]
    assert len(out.splitlines()) == 2
    assert "\x1b" not in out


def test_the_worst_are_the_highest_scores_and_who_set_a_threshold_is_told(rcae, filled, folder):
    many = [
        replace(inspected(one), number=one, anomaly_score=float(one % 17), is_defective=True)
        for one in range(1, 60)
    ]
    (summary,) = summarise(many)
    expected = sorted(many, key=lambda one: (one.anomaly_score, one.number), reverse=True)
    assert summary.worst == expected[:WORST]
    moved = timedelta(days=3000)  # decided after it was applied
    filled.apply_threshold("1b" * 32, 2.5, 1.0, "Grace <Hopper>", "why")
    filled.add([inspected(99, time=START + moved, threshold=2.5)])
    rcae("history", "-o", "report.html")
    assert "Grace &lt;Hopper&gt;, 20" in read_page(folder)


@pytest.mark.parametrize(
    ("options", "code", "message"),
    [
        (["--store", "none.sqlite"], 2, "none.sqlite does not exist; give the record"),
        (["--store", "sqlite:///none.sqlite"], 2, "none.sqlite does not exist; give the record"),
        (["--month", "2026-13"], 2, "'2026-13' is not a month; write 2026-11."),
        (["--month", "9999-12"], 2, "is not a month"),
        (["--since", "yesterday"], 2, "'yesterday' is not a time; write 2026-11-25"),
        (["--month", "2026-11", "--since", "2026-11-02"], 2, "--month goes without"),
        (["--limit", "5", "--json"], 2, "--limit is for lines"),
        (["-o", "all.xlsx"], 2, "all.xlsx is not named .csv, .parquet or .html"),
        (["--store", "mysql://me:s3cret@host/db"], 2, "'mysql://...' is not known"),
        (["--borderline", "-1"], 2, "--borderline"),
    ],
)
def test_a_wrong_request_is_one_sentence(rcae, record, folder, options, code, message):
    found, out, err = rcae("history", *options)
    assert (found, out) == (code, "")
    assert message in err
    assert "s3cret" not in err
    assert not (folder / "none.sqlite").exists()


def test_without_pyarrow_the_user_is_told_what_to_install(rcae, filled, folder, monkeypatch):
    real = export.require

    def missing(*modules, purpose):
        monkeypatch.setattr("rcae.base.extras.find_spec", lambda _: None)
        real(*modules, purpose=purpose)

    monkeypatch.setattr(export, "require", missing)
    code, _, err = rcae("history", "-o", "all.parquet")
    assert code == 2
    assert install_command("parquet") in err
