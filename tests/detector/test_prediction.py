import csv
import json
import shutil
import threading

import numpy as np
import pytest

from rcae.base.errors import StorageError, UsageError
from rcae.data.images import image_size, read_image
from rcae.detector.detector import Detector
from rcae.detector.prediction import PredictionCounts, predict_files


@pytest.fixture(scope="module")
def detector(finished_run):
    return Detector.load(finished_run)


def read(output):
    with (output / "predictions.csv").open(newline="", encoding="utf-8") as file:
        table = list(csv.DictReader(file))
    lines = (output / "predictions.jsonl").read_text(encoding="utf-8").splitlines()
    return table, [json.loads(line) for line in lines]


def test_both_files_hold_what_the_detector_says(detector, parts, tmp_path):
    paths = sorted(parts.glob("test/*/*.png"))
    counts = predict_files(detector, paths, tmp_path / "out")
    table, lines = read(tmp_path / "out")
    assert (
        [row["path"] for row in table] == [line["path"] for line in lines] == list(map(str, paths))
    )
    for path, row, line in zip(paths, table, lines, strict=True):
        detection = detector.predict(path)
        assert float(row["anomaly_score"]) == line["anomaly_score"] == detection.anomaly_score
        assert row["decision"] == ("defective" if detection.is_defective else "good")
        assert int(row["region_count"]) == len(line["regions"]) == len(detection.regions)
        assert float(row["milliseconds"]) > 0
    assert counts.good + counts.defective == 8
    assert counts.unreadable == 0


def test_an_unreadable_file_gets_a_row_and_stops_nothing(detector, parts, tmp_path):
    broken = tmp_path / "größe ✓ broken.png"
    broken.write_text("no image")
    good = parts / "test" / "good" / "000.png"
    counts = predict_files(detector, [good, broken, tmp_path / "gone.png", good], tmp_path / "out")
    table, lines = read(tmp_path / "out")
    assert counts.unreadable == 2
    assert [row["decision"] for row in table].count("unreadable") == 2
    assert "größe ✓ broken.png" in table[1]["error"]
    assert lines[1]["anomaly_score"] is None
    assert table[3]["anomaly_score"] == table[0]["anomaly_score"]


def test_overlays_and_maps_are_written_on_request_and_do_not_collide(detector, parts, tmp_path):
    paths = [parts / "test" / kind / "000.png" for kind in ("good", "scratch")]
    predict_files(detector, paths, tmp_path / "out", overlays=True, maps=True)
    overlays = sorted((tmp_path / "out" / "overlays").iterdir())
    maps = sorted((tmp_path / "out" / "maps").iterdir())
    assert len(overlays) == len(maps) == 2
    for path, overlay, saved in zip(paths, overlays, maps, strict=True):
        assert image_size(overlay) == (40, 40)
        assert np.array_equal(np.load(saved), detector.predict(path).anomaly_map)


def test_results_of_before_are_never_overwritten(detector, parts, tmp_path):
    (tmp_path / "predictions.csv").write_text("mine")
    with pytest.raises(UsageError, match=r"predictions\.csv already exists"):
        predict_files(detector, [parts / "test" / "good" / "000.png"], tmp_path)
    assert (tmp_path / "predictions.csv").read_text() == "mine"


def test_a_disk_that_fills_up_keeps_the_rows_written_before(detector, parts, tmp_path, monkeypatch):
    paths = sorted(parts.glob("test/*/*.png"))
    monkeypatch.setattr("rcae.detector.prediction.write_bytes", fail_at_third())
    with pytest.raises(StorageError):
        predict_files(detector, paths, tmp_path / "out", overlays=True)
    table, lines = read(tmp_path / "out")
    assert len(table) == len(lines) == 3


def fail_at_third():
    calls = []

    def write(path, data):
        calls.append(path)
        if len(calls) == 3:
            raise StorageError("full")

    return write


def test_a_long_list_is_worked_through_one_image_at_a_time(detector, parts, tmp_path, monkeypatch):
    alive = []
    original = Detector.inspect

    def inspect(self, *arguments):
        detection = original(self, *arguments)
        alive.append(__import__("weakref").ref(detection))
        assert sum(reference() is not None for reference in alive) <= 2
        return detection

    monkeypatch.setattr(Detector, "inspect", inspect)
    predict_files(detector, [parts / "test" / "good" / "000.png"] * 30, tmp_path / "out")
    assert len(alive) == 30


def test_the_next_image_is_decoded_while_the_model_works_on_the_one_before(
    detector, parts, tmp_path, monkeypatch
):
    read_by = []
    second_was_read = threading.Event()

    def read(path):
        read_by.append(threading.current_thread())
        if len(read_by) == 2:
            second_was_read.set()
        return read_image(path)

    def inspect(self, *arguments):
        assert second_was_read.wait(timeout=60)
        return original(self, *arguments)

    original = Detector.inspect
    monkeypatch.setattr("rcae.detector.prediction.read_image", read)
    monkeypatch.setattr(Detector, "inspect", inspect)
    path = parts / "test" / "good" / "000.png"
    before = threading.active_count()
    predict_files(detector, [path, path], tmp_path / "out", overlays=True)
    assert len(read_by) == 2
    assert set(read_by).isdisjoint({threading.main_thread()})
    assert threading.active_count() == before


def test_an_empty_list_gives_empty_tables(detector, tmp_path):
    assert predict_files(detector, [], tmp_path / "out") == PredictionCounts()


def test_a_name_that_is_no_text_is_predicted_and_escaped(detector, parts, tmp_path):
    import os
    import shutil

    name = tmp_path / os.fsdecode(b"teil-\xff.png")
    shutil.copy(parts / "test" / "good" / "000.png", name)
    predict_files(detector, [name], tmp_path / "out")
    table, lines = read(tmp_path / "out")
    assert table[0]["path"].endswith("teil-\\udcff.png")
    assert lines[0]["decision"] in ("good", "defective")


@pytest.mark.parametrize("stem", ["L" * 251, "図" * 83])
def test_a_name_as_long_as_names_can_be_has_its_overlay_and_map(detector, parts, tmp_path, stem):
    image = tmp_path / f"{stem}.png"
    shutil.copy(parts / "test" / "good" / "000.png", image)
    predict_files(detector, [image, image], tmp_path / "out", overlays=True, maps=True)
    for folder in ("overlays", "maps"):
        names = sorted(path.name for path in (tmp_path / "out" / folder).iterdir())
        assert [name[:17] for name in names] == [f"{n:06d}-{stem[:10]}" for n in (1, 2)]


@pytest.mark.parametrize("name", ["predictions.csv", "predictions.jsonl"])
def test_where_one_table_exists_the_other_is_not_made(detector, tmp_path, name):
    (tmp_path / name).write_text("mine")
    with pytest.raises(UsageError, match=f"{name} already exists"):
        predict_files(detector, [], tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [name]
