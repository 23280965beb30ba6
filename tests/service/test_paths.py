"""Images named by their paths: only from allowed folders, whatever links and names say."""

import os

import pytest

from rcae.base.errors import UsageError
from rcae.line.record.inspection import Query
from rcae.service.limits import Limits
from rcae.service.paths import allowed_folders
from tests.service.conftest import DEFECTIVE, GOOD

URL = "/api/models/grey/inspections-of-paths"


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "line" / "deep").mkdir(parents=True)
    (tmp_path / "line" / "good.png").write_bytes(GOOD)
    (tmp_path / "line" / "deep" / "BAD.PNG").write_bytes(DEFECTIVE)
    (tmp_path / "outside.png").write_bytes(GOOD)
    (tmp_path / "line-2").mkdir()
    (tmp_path / "line-2" / "good.png").write_bytes(GOOD)
    return tmp_path / "line"


@pytest.fixture
def client(serving, folder):
    return serving(allowed=allowed_folders([folder]))


def ask(client, *paths):
    return client.post(URL, json={"paths": [str(path) for path in paths]})


def test_files_in_the_folder_are_inspected_in_order(client, folder):
    (folder / "inner.png").symlink_to(folder / "deep" / "BAD.PNG")
    paths = [folder / "good.png", folder / "deep" / "BAD.PNG", folder / "inner.png"]
    results = ask(client, *paths).json()["results"]
    assert [one["is_defective"] for one in results] == [False, True, True]
    assert results[0]["source"] == str(folder / "good.png")


def test_what_lies_outside_is_forbidden_and_nothing_is_inspected(client, folder, record, tmp_path):
    (folder / "link.png").symlink_to(tmp_path / "outside.png")
    (folder / "away").symlink_to(tmp_path)
    (folder / "loop.png").symlink_to(folder / "loop.png")
    outside = [
        tmp_path / "outside.png",
        tmp_path / "missing.png",
        folder / ".." / "outside.png",
        tmp_path / "line-2" / "good.png",
        folder / "link.png",
        folder / "away" / "outside.png",
        "good.png",
        "line/good.png",
        "",
        "/etc/passwd",
        f"file://{folder}/good.png",
        f"{folder}/good.png\x00",
        folder / "loop.png",
    ]
    for path in outside:
        assert ask(client, folder / "good.png", path).status_code == 403, path
    assert record.count(Query()) == 0


def test_whether_something_exists_outside_is_not_told(client, tmp_path):
    there = ask(client, tmp_path / "outside.png").json()["detail"]
    missing = ask(client, tmp_path / "missing.png").json()["detail"]
    assert there.replace("outside.png", "") == missing.replace("missing.png", "")


def test_what_is_no_image_file_is_an_error_in_its_place(serving, folder):
    client = serving(Limits(upload_bytes=5000), allowed=allowed_folders([folder]))
    os.mkfifo(folder / "pipe.png")
    (folder / "folder.png").mkdir()
    (folder / "notes.txt").write_text("private")
    (folder / "large.png").write_bytes(bytes(5001))
    (folder / "empty.png").write_bytes(b"")
    (folder / "fake.png").write_bytes(b"private")
    names = ["pipe.png", "folder.png", "notes.txt", "large.png", "empty.png", "fake.png", "no.png"]
    names.append("x" * 2000 + ".png")
    results = ask(client, *(folder / name for name in [*names, "good.png"])).json()["results"]
    assert ["error" in one for one in results] == [*[True] * 8, False]
    assert "private" not in str(results)


def test_a_request_without_proper_paths_is_refused(client):
    for body in ({}, {"paths": []}, {"paths": "x"}, {"paths": [1]}, {"paths": ["/" * 4097]}, []):
        assert client.post(URL, json=body).status_code == 422


def test_too_many_paths_are_refused(client, folder):
    assert ask(client, *[folder / "good.png"] * 65).status_code == 413


def test_together_they_may_have_so_many_bytes(serving, folder):
    client = serving(Limits(batch_bytes=2 * len(GOOD)), allowed=allowed_folders([folder]))
    assert ask(client, *[folder / "good.png"] * 2).status_code == 200
    assert ask(client, *[folder / "good.png"] * 3).status_code == 413


def test_without_allowed_folders_no_path_is_read(serving, folder):
    assert ask(serving(), folder / "good.png").status_code == 403


def test_only_a_folder_can_be_allowed(folder):
    with pytest.raises(UsageError, match=r"--allow .*good\.png is not a folder"):
        allowed_folders([folder / "good.png"])
