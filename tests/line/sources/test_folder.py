"""Which files of a folder are read, and when; time is told by the tests."""

import os
import sys
from contextlib import suppress

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rcae.base.errors import ImageError, StorageError, UsageError
from rcae.line.sources import folder as folder_module
from rcae.line.sources.completeness import Doubt, ends_in_zeros
from rcae.line.sources.folder import (
    GIVE_UP_S,
    LIVE_CHANGES,
    QUIET_S,
    SETTLE_S,
    SETTLES_OF_ZEROS,
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

    def wait(self, longest_s):
        self.now += longest_s


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
            assert not isinstance(read_settled(look.files[0]), bytes)
        assert settled(look) == []


def test_what_is_gone_or_changed_when_it_is_read_gives_nothing(place, look):
    (place / "a.png").write_bytes(b"1")
    (place / "b.png").write_bytes(b"1")
    settled(look)
    (place / "a.png").unlink()
    (place / "b.png").write_bytes(b"12")
    assert [read_settled(file) for file in look.files] == [None, Doubt.CHANGES]


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
    place, look, monkeypatch, said
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
    assert said().count("a cannot be listed (Permission denied)") == 1


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


needs_leases = pytest.mark.skipif(sys.platform != "linux", reason="only Linux has leases")


@needs_leases
def test_a_file_that_a_program_has_open_for_writing_is_read_once_it_is_closed(place, look, clock):
    with (place / "a.bmp").open("wb") as writer:
        writer.write(b"12")
        writer.flush()
        settled(look)
        assert look(SETTLE_S) == ["a.bmp"]
        assert look.folder.read(look.files[0], clock.wait) is None
        writer.write(b"34")
    settled(look)
    with (place / "a.bmp").open("rb"):  # a reader is no writer
        assert look.folder.read(look.files[0], clock.wait) == b"1234"


@needs_leases
def test_a_file_that_stays_open_is_said_once_and_after_a_minute(place, look, clock, said):
    with (place / "a.bmp").open("wb") as writer:
        writer.write(b"12")
        writer.flush()
        settled(look)
        look.folder.read(look.files[0], clock.wait)
        assert said() == ""
        for _ in range(3):
            assert look(GIVE_UP_S) == ["a.bmp"]
            assert look.folder.read(look.files[0], clock.wait) is None
    assert said().count("a.bmp is not inspected yet: another program has it") == 1


def test_a_tail_of_zeros_may_be_space_that_is_filled_later_and_waits_longer(place, look, clock):
    (place / "a.bmp").write_bytes(b"1" * 500 + bytes(500))
    settled(look)
    assert look.folder.read(look.files[0], clock.wait) is None
    assert look(SETTLE_S * (SETTLES_OF_ZEROS - 1.5)) == []
    with (place / "a.bmp").open("r+b") as writer:
        writer.seek(500)
        writer.write(b"2" * 500)
    assert settled(look) == ["a.bmp"]
    assert look.folder.read(look.files[0], clock.wait) == b"1" * 500 + b"2" * 500


def test_a_black_tail_that_nobody_fills_is_read_after_the_longer_wait(place, look, clock):
    content = b"1" * 500 + bytes(500)
    (place / "a.bmp").write_bytes(content)
    settled(look)
    look.folder.read(look.files[0], clock.wait)
    assert look(SETTLE_S * SETTLES_OF_ZEROS) == ["a.bmp"]
    assert look.folder.read(look.files[0], clock.wait) == content


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", False),
        (b"1" * 7, False),
        (b"1" * 8 + bytes(2), True),
        (b"1" * 4096 + bytes(4096), True),
        (bytes(10_000) + b"1" + bytes(500), False),
        (b"1" * 90_000 + bytes(4096), True),
    ],
)
def test_the_tail_is_an_eighth_of_the_file_and_at_most_a_block(content, expected):
    assert ends_in_zeros(content) is expected


def rewritten(place, look, times, every_s=0.5, size=9):
    """Rewrite an image in place so often and look after each; return the names that are ready each time."""
    ready = []
    for number in range(times):
        (place / "live.bmp").write_bytes(bytes([65 + number % 26]) * size)
        ready.append(look(every_s))
    return ready


def test_an_image_that_is_rewritten_without_a_pause_is_read_in_between(place, look, clock, said):
    assert rewritten(place, look, LIVE_CHANGES) == [[]] * LIVE_CHANGES
    for number in range(5):
        assert rewritten(place, look, 1) == [["live.bmp"]]
        before = clock.now
        assert look.folder.read(look.files[0], clock.wait) == b"A" * 9
        assert clock.now - before == pytest.approx(QUIET_S)
        if number != 2:
            mark_done(look.files[0])
    assert (
        look.folder.overwritten == 2
    )  # one before it was known as live, one that was not inspected
    assert said().count("live.bmp is rewritten again and again") == 1


def test_a_live_image_that_changes_while_it_is_read_is_not_taken(place, look, clock):
    rewritten(place, look, LIVE_CHANGES + 1)

    def wait(longest_s):
        (place / "live.bmp").write_bytes(b"B" * 9)

    assert look.folder.read(look.files[0], wait) is None


def test_the_last_state_of_a_live_image_is_read_after_the_usual_wait(place, look, clock):
    rewritten(place, look, LIVE_CHANGES + 1)
    mark_done(look.files[0])
    (place / "live.bmp").write_bytes(b"Z" * 9)
    look()
    assert look(SETTLE_S) == ["live.bmp"]
    before = clock.now
    assert look.folder.read(look.files[0], clock.wait) == b"Z" * 9
    assert clock.now == before


def test_a_file_that_grows_is_on_its_way_and_not_live(place, look):
    for size in range(1, 30):
        (place / "a.png").write_bytes(b"1" * size)
        assert look(0.5) == []


def test_rare_looks_do_not_make_parts_of_one_name_a_live_image(place, look):
    for _ in range(LIVE_CHANGES + 3):
        (place / "a.png").write_bytes(os.urandom(9))
        assert settled(look) == ["a.png"]
        mark_done(look.files[0])
    assert look.folder.overwritten == 0


def test_a_longer_settle_time_waits_longer(place, clock):
    folder = Folder(place, clock, settle_s=30)
    (place / "a.png").write_bytes(b"1")
    folder.settled()
    clock.now += 29
    assert folder.settled() == []
    clock.now += 1
    assert len(folder.settled()) == 1


def test_patterns_leave_out_names_and_paths(place, clock):
    folder = Folder(place, clock, excluded=("*_preview.png", "archive", "b/raw/*"))
    for name in (
        "a.png",
        "a_preview.png",
        "archive/a.png",
        "b/archive/a.png",
        "b/raw/a.png",
        "b/c/raw/a.png",
        "raw/a.png",
    ):
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (place / name).write_bytes(b"1")
    folder.settled()
    clock.now += SETTLE_S
    found = [os.path.relpath(file.path, place) for file in folder.settled()]
    assert sorted(found) == ["a.png", "b/c/raw/a.png", "raw/a.png"]


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
