"""Which files of a folder are read, and when; time is told by the tests."""

import os
from contextlib import suppress

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rcae.base.errors import ImageError, StorageError, UsageError
from rcae.line.sources import folder as folder_module
from rcae.line.sources.folder import (
    GIVE_UP_S,
    SETTLE_S,
    TRY_AGAIN_S,
    Folder,
    mark_done,
    read_settled,
)


class Clock:
    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def look(place, clock):
    """Look into the folder after some seconds: names below it of the files to read now."""
    folder = Folder(place, clock)

    def look(after_s=0.0):
        clock.now += after_s
        look.files = folder.settled()
        return [os.path.relpath(file.path, place) for file in look.files]

    look.folder = folder
    return look


def settled(look):
    look()
    return look(SETTLE_S)


def test_a_file_is_read_once_it_has_not_changed_for_a_while(place, look):
    (place / "a.png").write_bytes(b"1")
    assert look() == []
    assert look(SETTLE_S / 2) == []
    (place / "a.png").write_bytes(b"12")
    assert look(SETTLE_S / 2) == []
    assert look(SETTLE_S / 2) == []
    assert look(SETTLE_S / 2) == ["a.png"]
    assert read_settled(look.files[0]) == b"12"
    mark_done(look.files[0])
    assert look(1e6) == []


def test_what_is_dealt_with_is_read_again_when_it_is_written_again(place, look):
    (place / "a.png").write_bytes(b"1")
    settled(look)
    mark_done(look.files[0])
    before = (place / "a.png").stat()
    (place / "a.png").write_bytes(b"2")
    os.utime(place / "a.png", ns=(before.st_atime_ns, before.st_mtime_ns))
    assert settled(look) == ["a.png"]
    assert read_settled(look.files[0]) == b"2"


def test_a_file_renamed_over_another_of_the_same_size_and_time_is_read(place, look, tmp_path):
    (place / "a.png").write_bytes(b"1")
    settled(look)
    mark_done(look.files[0])
    times = (place / "a.png").stat().st_mtime_ns
    (tmp_path / "new").write_bytes(b"2")
    os.utime(tmp_path / "new", ns=(times, times))
    (tmp_path / "new").replace(place / "a.png")
    assert settled(look) == ["a.png"]


def test_everything_below_is_found_but_no_hidden_file_no_link_and_no_other_kind(
    place, look, tmp_path
):
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret.png").write_bytes(b"1")
    for name in (
        "b/c/deep.JPG",
        "b/x.tiff",
        ".hidden/y.png",
        "b/.z.png",
        "@eaDir/a.png",
        "b/$RECYCLE.BIN/b.png",
        "b/notes.txt",
        "b/png",
    ):
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (place / name).write_bytes(b"1")
    (place / "link.png").symlink_to(outside / "secret.png")
    (place / "link").symlink_to(outside)
    (place / "loop").symlink_to(place)
    (place / "broken.png").symlink_to(tmp_path / "none")
    os.mkfifo(place / "pipe.png")
    (place / "folder.png").mkdir()
    assert sorted(settled(look)) == ["b/c/deep.JPG", "b/x.tiff"]


def test_a_link_or_pipe_that_takes_a_files_place_is_not_read(place, look, tmp_path):
    (tmp_path / "secret.png").write_bytes(b"1")
    for number, swap in enumerate(
        (
            lambda path: path.symlink_to(tmp_path / "secret.png"),
            os.mkfifo,
            lambda path: path.mkdir(),
        )
    ):
        path = place / f"{number}.png"
        path.write_bytes(b"1")
        settled(look)
        path.unlink()
        swap(path)
        with suppress(ImageError):  # a link's
            assert read_settled(look.files[0]) is None
        assert settled(look) == []


def test_what_is_gone_or_changed_when_it_is_read_gives_nothing(place, look):
    (place / "a.png").write_bytes(b"1")
    (place / "b.png").write_bytes(b"1")
    settled(look)
    (place / "a.png").unlink()
    (place / "b.png").write_bytes(b"12")
    assert [read_settled(file) for file in look.files] == [None, None]


def test_a_file_that_cannot_be_read_is_tried_for_a_minute_then_given_up_once(place, look):
    (place / "a.png").write_bytes(b"1")
    settled(look)
    attempts = 1
    while not look.folder.is_given_up(look.files[0]):
        assert look(TRY_AGAIN_S / 2) == []
        assert look(TRY_AGAIN_S / 2) == ["a.png"]
        attempts += 1
    assert attempts == 1 + np.ceil((GIVE_UP_S - SETTLE_S) / TRY_AGAIN_S)
    assert look(1e6) == []
    (place / "a.png").chmod(0o600)
    assert settled(look) == ["a.png"]


def test_a_file_too_large_to_be_an_image_is_not_read_into_memory(place, look):
    with (place / "a.png").open("wb") as file:
        file.truncate(folder_module.LARGEST_BYTES + 1)
    settled(look)
    with pytest.raises(ImageError, match="at most"):
        read_settled(look.files[0])


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_without_permission_cannot_be_read(place, look):
    (place / "a.png").write_bytes(b"1")
    (place / "a.png").chmod(0)
    settled(look)
    with pytest.raises(ImageError, match="Permission denied"):
        read_settled(look.files[0])


def test_a_folder_that_may_not_be_listed_is_said_once_and_hides_no_other(
    place, look, monkeypatch, capsys
):
    (place / "a").mkdir()
    (place / "b").mkdir()
    (place / "b" / "x.png").write_bytes(b"1")
    scandir = os.scandir

    def refuse(path):
        if str(path).endswith("/a"):
            raise PermissionError(13, "Permission denied")
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    assert settled(look) == ["b/x.png"]
    assert capsys.readouterr().err.count("a cannot be listed (Permission denied)") == 1


def test_a_folder_that_is_away_is_an_error_and_nothing_is_forgotten(place, look):
    (place / "a.png").write_bytes(b"1")
    settled(look)
    mark_done(look.files[0])
    place.rename(place.with_name("away"))
    with pytest.raises(StorageError, match="cannot be listed"):
        look()
    place.with_name("away").rename(place)
    assert settled(look) == []


def test_what_is_no_folder_is_refused(tmp_path):
    (tmp_path / "file").touch()
    for path in (tmp_path / "none", tmp_path / "file"):
        with pytest.raises(UsageError, match="not a folder"):
            Folder(path)


def test_the_oldest_come_first_whatever_their_names(place, look):
    for age_s, name in enumerate("bca"):
        (place / f"{name}.png").write_bytes(b"1")
        os.utime(place / f"{name}.png", (2e9 - age_s, 2e9 - age_s))
    assert settled(look) == ["a.png", "c.png", "b.png"]


STEPS = st.lists(st.tuples(st.sampled_from(["write", "look"]), st.floats(0, 3)), max_size=30)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS)
def test_however_slowly_it_is_written_a_file_is_never_read_within_the_settling_time(
    tmp_path_factory, steps
):
    place, clock = tmp_path_factory.mktemp("place"), Clock()
    folder, path = Folder(place, clock), place / "a.png"
    path.write_bytes(b"1")
    changed_at, done_size = clock.now, 0
    for step, after_s in steps:
        clock.now += after_s
        if step == "write":
            with path.open("ab") as file:
                file.write(b"1")
            changed_at = clock.now
            continue
        for file in folder.settled():
            assert clock.now - changed_at >= SETTLE_S
            assert path.stat().st_size > done_size
            assert read_settled(file) == path.read_bytes()
            done_size = path.stat().st_size
            mark_done(file)
    folder.settled()
    clock.now += SETTLE_S
    assert bool(folder.settled()) == (done_size < path.stat().st_size)
