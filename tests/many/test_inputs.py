import tracemalloc
from itertools import islice
from pathlib import Path

import fsspec
import pyarrow as pa
import pytest
from pyarrow import parquet

from rcae.base.errors import DataError, UsageError
from rcae.many.inputs import locations


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Images told by name alone, in the working folder."""
    for name in ("new/b.png", "new/a.png", "new/deeper/c.png", "new/notes.txt", "d.png"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def names(*texts):
    return [str(location) for location in locations([str(text) for text in texts])]


def test_folders_patterns_and_files_come_in_order_and_each_image_once(folder):
    below = ["new/a.png", "new/b.png", "new/deeper/c.png"]
    assert names("d.png", "new") == ["d.png", *below]
    assert names("new/*.png", folder / "new", "./d.png", "d.png") == [
        "new/a.png",
        "new/b.png",
        str(folder / "new/deeper/c.png"),
        "d.png",
    ]


def test_a_list_in_any_format_names_paths_and_urls_and_they_need_not_exist(folder):
    given = ["new/b.png", "größe, 螺 ✓.png", "s3://bucket/a.png", "gone.png"]
    Path("list.txt").write_text("\r\n".join(given) + "\n\n", encoding="utf-8")
    table = pa.table({"number": range(4), "path": given})
    parquet.write_table(table, "list.parquet", row_group_size=3)
    rows = [f'{number},"{name}"' for number, name in enumerate(given)]
    Path("list.csv").write_text("\n".join(["\ufeffnumber,path", *rows]), encoding="utf-8")
    for suffix in ("txt", "parquet", "csv"):
        assert names(f"list.{suffix}") == given
    assert names("list.txt", "list.csv", "d.png") == [*given, "d.png"]


def test_a_name_that_is_no_text_is_listed_as_it_is(folder):
    Path("list.txt").write_bytes(b"teil-\xff.png\n")
    assert names("list.txt") == ["teil-\udcff.png"]


def test_a_url_names_the_images_of_its_store(folder):
    fsspec.filesystem("memory").pipe_file("/inputs/a.png", b"no image")
    assert names("memory:///inputs", "d.png") == ["memory:///inputs/a.png", "d.png"]


@pytest.mark.parametrize(
    ("name", "content", "error", "reason"),
    [
        ("list.csv", b"file,name\na,b\n", UsageError, "has the columns file, name; name the one"),
        ("list.csv", b"", UsageError, "has the columns ; name"),
        ("list.csv", b"path\n", UsageError, "lists no image"),
        ("list.txt", b"\n\n", UsageError, "lists no image"),
        ("list.parquet", b"PAR1 no table", DataError, "is not a readable Parquet file"),
        ("gone.txt", None, UsageError, "does not exist and matches no image"),
    ],
)
def test_a_list_that_is_none_is_named_with_the_reason(folder, name, content, error, reason):
    if content is not None:
        Path(name).write_bytes(content)
    with pytest.raises(error, match=reason):
        names(name)


def test_memory_does_not_grow_with_the_list(folder):
    with Path("list.txt").open("w") as lines:
        lines.writelines(f"s3://bucket/{number:09d}.png\n" for number in range(40_000))
    found = locations(["list.txt"])
    assert len(list(islice(found, 20_000))) == 20_000
    tracemalloc.start()
    try:
        assert sum(1 for _ in found) == 20_000
        assert tracemalloc.get_traced_memory()[1] < 300_000
    finally:
        tracemalloc.stop()
