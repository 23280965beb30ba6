import csv
import json
import shutil

import pyarrow as pa
import pytest
from pyarrow import parquet

from rcae.base.errors import DataError, UsageError
from rcae.detector.detector import Detector
from rcae.detector.predictions import predict_files
from rcae.many import inspection
from rcae.many.inspection import Request, inspect_shard
from rcae.many.parts import file_of, merge, missing_parts
from rcae.many.plan import read_plan


@pytest.fixture(scope="module")
def inspected(finished_run, archive, tmp_path_factory):
    """The output of both shards of two."""
    output = tmp_path_factory.mktemp("shards") / "out"
    for number in (1, 2):
        inspect_shard(Request(finished_run, (str(archive),), output), number, 2)
    return output


@pytest.fixture
def output(inspected, tmp_path):
    return shutil.copytree(inspected, tmp_path / "out")


def rows(output):
    lines = (output / "predictions.jsonl").read_text(encoding="utf-8").splitlines()
    return [{**json.loads(line), "milliseconds": None} for line in lines]


def without_milliseconds(file):
    with file.open(newline="", encoding="utf-8") as table:
        return [{**row, "milliseconds": None} for row in csv.DictReader(table)]


def test_merged_shards_are_the_tables_of_one_process(output, finished_run, archive, tmp_path):
    paths = sorted(archive.iterdir())
    alone = predict_files(Detector.load(finished_run), paths, tmp_path / "alone")
    assert merge(read_plan(output)) == alone
    assert alone.unreadable == 1
    assert rows(output) == rows(tmp_path / "alone")
    tables = [folder / "predictions.csv" for folder in (output, tmp_path / "alone")]
    assert without_milliseconds(tables[0]) == without_milliseconds(tables[1])


def test_parts_are_one_parquet_data_set_with_the_columns_of_a_prediction(output):
    table = parquet.read_table(output / "parts")
    assert table.num_rows == 43
    assert table.schema.field("anomaly_score").type == pa.float64()
    regions = [region for row in table["regions"].to_pylist() for region in row]
    assert regions
    assert {type(region["area_px"]) for region in regions} == {int}


def test_a_merge_refuses_missing_parts_and_writes_nothing(output):
    for part in (1, 4):
        file_of(output, part).unlink()
    names = r"2 of 5 parts are missing \(part-000001\.parquet, part-000004\.parquet\)"
    with pytest.raises(UsageError, match=names):
        merge(read_plan(output))
    assert sorted(path.name for path in output.iterdir()) == ["parts", "plan"]


def test_a_shard_that_was_interrupted_inspects_what_is_missing_and_nothing_else(
    output, finished_run, archive, monkeypatch
):
    kept = {part: file_of(output, part).read_bytes() for part in range(5)}
    file_of(output, 2).unlink()
    found = []

    def inspect(detector, plan, part, **pictures):
        found.append(part)
        return inspect_part(detector, plan, part, **pictures)

    inspect_part = inspection.inspect_part
    monkeypatch.setattr(inspection, "inspect_part", inspect)
    request = Request(finished_run, (str(archive),), output)
    counts = inspect_shard(request, 1, 2)
    assert found == [2]
    assert sum(vars(counts).values()) == 23
    assert missing_parts(read_plan(output)) == []
    assert all(file_of(output, part).read_bytes() == kept[part] for part in (0, 1, 3, 4))
    inspect_shard(request, 2, 2)
    assert found == [2]


def test_a_part_of_another_plan_and_a_damaged_part_are_refused(output, finished_run, archive):
    other = output.parent / "other"
    inspect_shard(Request(finished_run, (str(archive / "001.png"),), other), 1, 1)
    shutil.copy(file_of(other, 0), file_of(output, 4))
    with pytest.raises(DataError, match=r"part-000004\.parquet is of another list or model"):
        merge(read_plan(output))
    file_of(output, 4).write_bytes(b"PAR1")
    with pytest.raises(DataError, match=r"part-000004\.parquet is damaged"):
        merge(read_plan(output))
    assert not (output / "predictions.csv").exists()


@pytest.mark.parametrize(
    "change",
    [
        lambda table: table.slice(1),
        lambda table: pa.concat_tables([table, table.slice(0, 1)]),
        lambda table: table.take([1, 0, *range(2, table.num_rows)]),
    ],
    ids=["lost", "twice", "swapped"],
)
def test_a_part_with_other_images_than_its_plan_is_refused(output, change):
    file = file_of(output, 3)
    parquet.write_table(change(parquet.read_table(file)), file)
    with pytest.raises(DataError, match="has other images than its plan"):
        merge(read_plan(output))
    assert not (output / "predictions.jsonl").exists()


def test_merged_tables_are_never_overwritten(output):
    (output / "predictions.csv").write_text("mine")
    with pytest.raises(UsageError, match=r"predictions\.csv already exists"):
        merge(read_plan(output))
    assert (output / "predictions.csv").read_text() == "mine"


def test_the_command_names_shards_from_the_first_to_the_last(rcae, finished_run, archive, tmp_path):
    words = ("predict", finished_run, archive, "-o", tmp_path / "out", "--overlays")
    for wrong in ("0/3", "4/3", "1", "1/0", "a/b"):
        code, _, error = rcae(*words, "--shard", wrong)
        assert code == 2
        assert "is not a shard; write 1/16 for the first" in error
    codes = [rcae(*words, "--shard", f"{number}/3")[0] for number in (1, 2, 3)]
    assert codes == [0, 3, 0]
    assert rcae("merge", tmp_path / "out")[0] == 0
    numbers = sorted(int(path.name[:6]) for path in (tmp_path / "out" / "overlays").iterdir())
    unreadable = [n for n, row in enumerate(rows(tmp_path / "out"), 1) if row["error"]]
    assert unreadable == [18]
    assert numbers == [n for n in range(1, 44) if n != 18]


def test_a_folder_without_a_plan_is_no_output_to_merge(rcae, tmp_path):
    code, _, error = rcae("merge", tmp_path)
    assert code == 2
    assert "plan.json does not exist; give the -o folder" in error
