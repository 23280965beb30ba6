"""A watched folder with a real model and a real record."""

import hashlib
import io
import json
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from sqlalchemy import delete

from rcae.base.errors import ImageError, StorageError, UsageError
from rcae.base.interruption import StopRequest
from rcae.line.inspector import Inspector
from rcae.line.record.database import writing
from rcae.line.record.inspection import Query
from rcae.line.record.record import Record
from rcae.line.record.tables import known_files
from rcae.line.sources.folder import GIVE_UP_S, LIVE_CHANGES, Folder
from rcae.line.sources.watch import POLL_S, sole_watcher, watch
from tests.conftest import until
from tests.line.outputs.conftest import inspection


@pytest.fixture
def png(draw):
    def png():
        file = io.BytesIO()
        Image.fromarray(draw()).save(file, "png")
        return file.getvalue()

    return png


class Simulated(StopRequest):
    """Time that passes only by waiting; what happens meanwhile is the test's; stops after the last."""

    def __init__(self, *happenings):
        self.now = 1000.0
        self.waits = []
        self._happenings = list(happenings)

    def wait(self, longest_s):
        self.waits.append(longest_s)
        self.now += longest_s
        if self._happenings:
            self._happenings.pop(0)()
        elif len(self.waits) > 20:
            self.requested = True


def run(place, inspector, record, *happenings):
    stop = Simulated(*happenings)
    found = list(watch(Folder(place, lambda: stop.now), inspector, record, stop))
    return found, stop


def sources(found):
    return [inspection.source for inspection in found]


def test_every_file_is_inspected_once_and_those_of_before_too(place, inspector, record, png):
    content = png()
    (place / "below").mkdir()
    (place / "before.png").write_bytes(content)
    found, _ = run(
        place,
        inspector,
        record,
        lambda: (place / "below" / "later.png").write_bytes(png()),
        lambda: (place / "copy.png").write_bytes(content),
    )
    names = ["before.png", "below/later.png", "copy.png"]
    assert sources(found) == [str(place / name) for name in names]
    assert found[0].image_sha256 == hashlib.sha256(content).hexdigest()
    assert list(record.each(Query())) == found


def test_a_restart_inspects_what_is_new_and_what_was_written_anew(place, inspector, record, png):
    for name in "abc":
        (place / f"{name}.png").write_bytes(png())
    assert len(run(place, inspector, record)[0]) == 3
    (place / "b.png").write_bytes(png())
    (place / "d.png").write_bytes(png())
    os.utime(place / "a.png")
    found, _ = run(place, inspector, record)
    assert sorted(sources(found)) == [str(place / "b.png"), str(place / "d.png")]
    assert record.count(Query()) == 5


@pytest.fixture
def read_names(monkeypatch):
    """Names of the files whose content a watch reads."""
    names = []

    def read(folder, file, wait):
        names.append(Path(file.path).name)
        return read_file(folder, file, wait)

    read_file = Folder.read
    monkeypatch.setattr(Folder, "read", read)
    return names


def test_a_restart_reads_only_files_that_are_new_or_have_changed(
    place, inspector, record, png, read_names, monkeypatch
):
    monkeypatch.setattr("rcae.line.sources.watch.FILES_AT_ONCE", 2)
    for name in "abcde":
        (place / f"{name}.png").write_bytes(png())
    (place / "broken.png").write_bytes(b"no image")
    run(place, inspector, record)
    read_names.clear()
    (place / "f.png").write_bytes(png())
    os.utime(place / "b.png")
    found, _ = run(place, inspector, record)
    assert sources(found) == [str(place / "f.png")]
    assert set(read_names) == {"f.png", "b.png", "broken.png"}
    read_names.clear()
    run(place, inspector, record)
    assert set(read_names) == {"broken.png"}


def test_files_of_a_record_without_their_times_are_read_once_more_and_not_inspected(
    place, inspector, record, png, read_names
):
    for name in "abc":
        (place / f"{name}.png").write_bytes(png())
    run(place, inspector, record)
    with writing(record._engine) as connection:
        connection.execute(delete(known_files))
    read_names.clear()
    assert run(place, inspector, record)[0] == []
    assert sorted(read_names) == ["a.png", "b.png", "c.png"]
    read_names.clear()
    run(place, inspector, record)
    assert read_names == []


def test_another_model_inspects_the_same_files(place, inspector, record, detector, png):
    (place / "a.png").write_bytes(png())
    run(place, inspector, record)
    other = Inspector("texture", detector, record, inspector._kept_images)
    found, _ = run(place, other, record)
    assert [inspection.model for inspection in found] == ["texture"]


def test_a_file_that_pauses_half_way_is_inspected_whole_and_is_no_error(
    place, inspector, record, png
):
    content, path = png(), place / "slow.png"
    path.write_bytes(content[:100])
    pause = [lambda: None] * 12
    found, _ = run(place, inspector, record, *pause, lambda: path.write_bytes(content))
    (inspection,) = found
    assert inspection.image_sha256 == hashlib.sha256(content).hexdigest()


def test_hostile_files_are_said_once_each_and_stop_nothing(place, inspector, record, png):
    whole = png()
    tiny = io.BytesIO()
    Image.new("RGB", (4, 4)).save(tiny, "png")
    hostile = {
        "cut.png": whole[: len(whole) // 2],
        "empty.png": b"",
        "text.png": b"not an image",
        "tiny.png": tiny.getvalue(),
        "bomb.png": whole[:16] + (2**30).to_bytes(4, "big") * 2 + whole[24:],
        os.fsdecode(b"b\xff\ned.png"): b"x",
    }
    for name, content in hostile.items():
        (place / name).write_bytes(content)
    (place / os.fsdecode(b"good\xff\n.png")).write_bytes(whole)
    stop = Simulated(*[lambda: None] * int(2 * 2 * GIVE_UP_S + 30))
    found = list(watch(Folder(place, lambda: stop.now), inspector, record, stop))
    errors = [str(answer) for answer in found if isinstance(answer, ImageError)]
    assert len(errors) == len(hostile)
    assert all(error.isprintable() for error in errors)
    (good,) = [answer for answer in found if not isinstance(answer, ImageError)]
    assert good.source == str(place / "good\\udcff\\n.png")
    assert record.count(Query()) == 1


def test_while_the_record_refuses_it_waits_longer_and_longer_and_nothing_is_skipped(
    place, inspector, record, png, monkeypatch, said
):
    for number in range(20):
        (place / f"{number:02d}.png").write_bytes(png())
    refusals = [False, *[True] * 6, False, True]
    add = record.add

    def refuse(inspections):
        if refusals and refusals.pop(0):
            raise StorageError("the disk is full.")
        return add(inspections)

    monkeypatch.setattr(record, "add", refuse)
    found, stop = run(place, inspector, record)
    assert sorted(sources(found)) == [str(place / f"{number:02d}.png") for number in range(20)]
    assert record.count(Query()) == 20
    assert said().count("the disk is full.") == 1
    backing_off = stop.waits[2:9]
    bounds = [(longest / 2, longest) for longest in (0.5, 1, 2, 4, 8, 16, 30)]
    assert all(low <= w <= high for w, (low, high) in zip(backing_off, bounds, strict=True))


def test_very_many_at_once_are_read_a_few_at_a_time(place, inspector, record, png, monkeypatch):
    for number in range(500):
        (place / f"{number:04d}.png").write_bytes(png() if number < 9 else b"another")
    sizes = []

    def count(arrivals):
        sizes.append(len(arrivals))
        return [inspection(1)] * len(arrivals)

    monkeypatch.setattr(inspector, "inspect", count)
    monkeypatch.setattr("rcae.line.sources.watch.BYTES_AT_ONCE", 3 * len(png()))
    found, _ = run(place, inspector, record)
    assert len(found) == sum(sizes) == 500
    assert max(sizes) == 8
    assert max(sizes[:2]) <= 4


def test_stopping_ends_after_the_batch_at_hand(place, inspector, record, png):
    for number in range(30):
        (place / f"{number:02d}.png").write_bytes(png())
    stop, found = Simulated(), []
    for one in watch(Folder(place, lambda: stop.now), inspector, record, stop):
        found.append(one)
        stop.requested = True
    assert len(found) == 8 == record.count(Query())


WATCHER = textwrap.dedent(
    """
    import hashlib, sys, time
    from pathlib import Path
    from rcae.base.interruption import stop_on_signal
    from rcae.line.record.record import Record
    from rcae.line.sources.folder import Folder
    from rcae.line.sources.watch import watch
    from tests.line.outputs.conftest import inspection

    class Inspector:
        name = "parts"

        def inspect(self, arrivals):
            time.sleep(0.1)
            hashes = [hashlib.sha256(arrival.content).hexdigest() for arrival in arrivals]
            return record.add([
                inspection(0, id=sha256[:32], source=arrival.source, image_sha256=sha256)
                for sha256, arrival in zip(hashes, arrivals)
            ])

    record = Record.open(sys.argv[2])
    print("started", flush=True)
    with stop_on_signal() as stop:
        for found in watch(Folder(Path(sys.argv[1])), Inspector(), record, stop):
            print(found.number, flush=True)
    """
)


def start(place, store):
    command = [sys.executable, "-P", "-c", WATCHER, place, store]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([*sys.path, str(Path.cwd())])}
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)
    assert process.stdout.readline() == "started\n"
    return process


def test_killed_in_the_middle_while_a_writer_goes_on_each_is_inspected_once(
    place, record, tmp_path, png
):
    contents = {str(place / f"{number:02d}.png"): png() for number in range(40)}
    random = np.random.default_rng(1)

    def write():
        for number, (path, content) in enumerate(contents.items()):
            with Path(path).open("wb") as file:
                for piece in np.array_split(
                    np.frombuffer(content, np.uint8), random.integers(2, 5)
                ):
                    file.write(piece.tobytes())
                    file.flush()
                    time.sleep(0.01)
                    if number == 20:
                        was_killed.wait()

    was_killed, writer = threading.Event(), threading.Thread(target=write, daemon=True)
    with start(place, tmp_path / "record.sqlite") as killed:
        writer.start()
        assert killed.stdout.readline() == "1\n"
        killed.kill()
        was_killed.set()
    assert record.count(Query()) < 40
    with start(place, tmp_path / "record.sqlite") as going_on:
        until(lambda: record.count(Query()) >= 40, 60)
        writer.join()
        going_on.send_signal(signal.SIGTERM)
        numbers = [int(line) for line in going_on.stdout]
    assert going_on.returncode == 0
    recorded = list(record.each(Query()))
    assert len(recorded) == 40
    assert {one.source: one.image_sha256 for one in recorded} == {
        path: hashlib.sha256(content).hexdigest() for path, content in contents.items()
    }
    assert numbers == [one.number for one in recorded][-len(numbers) :]


def bmp(draw):
    file = io.BytesIO()
    Image.fromarray(draw()).save(file, "bmp")
    return file.getvalue()


def test_one_image_rewritten_before_every_look_is_inspected_again_and_again(
    place, inspector, record, draw
):
    states = [bmp(draw) for _ in range(20)]

    class Rewritten(Simulated):
        def wait(self, longest_s):
            self.now += longest_s
            if longest_s == POLL_S:
                state = len(self.waits)
                self.waits.append(longest_s)
                self.requested = state == len(states)
                (place / "live.bmp").write_bytes(states[min(state, len(states) - 1)])

    stop = Rewritten()
    found = list(watch(Folder(place, lambda: stop.now), inspector, record, stop))
    hashes = [hashlib.sha256(content).hexdigest() for content in states]
    inspected = [hashes.index(inspection.image_sha256) for inspection in found]
    assert inspected == list(range(LIVE_CHANGES, len(states)))


def test_a_part_whose_second_half_comes_seconds_later_is_one_inspection(
    place, inspector, record, draw
):
    content, path = bmp(draw), place / "half.bmp"

    def fill():
        with path.open("r+b") as file:
            file.seek(len(content) // 2)
            file.write(content[len(content) // 2 :])

    path.write_bytes(content[: len(content) // 2] + bytes(len(content) - len(content) // 2))
    found, _ = run(place, inspector, record, *[lambda: None] * 8, fill)
    assert [one.image_sha256 for one in found] == [hashlib.sha256(content).hexdigest()]


def test_a_second_watch_of_a_folder_is_refused_and_another_model_or_record_is_not(
    place, record, tmp_path
):
    with sole_watcher(place, "parts", record):
        other = Record.open(tmp_path / "record.sqlite")
        (tmp_path / "link").symlink_to(place)
        for same in (place, tmp_path / "link"):
            with pytest.raises(UsageError, match="another 'rcae watch'"):
                sole_watcher(same, "parts", other).__enter__()
        with sole_watcher(place, "texture", other), sole_watcher(tmp_path, "parts", other):
            pass
        own = Record.open(tmp_path / "own.sqlite")
        with sole_watcher(place, "parts", own):
            pass
        for one in (other, own):
            one.close()
    with sole_watcher(place, "parts", record):
        pass


@pytest.fixture
def interrupted(record):
    """Send Ctrl-C to this process once so many images are recorded."""
    threads = []

    def interrupt_after(count):
        def wait():
            until(lambda: record.count(Query()) >= count, 60)
            os.kill(os.getpid(), signal.SIGINT)

        threads.append(threading.Thread(target=wait))
        threads[0].start()

    yield interrupt_after
    threads[0].join()


@pytest.mark.parametrize("as_json", [False, True])
def test_the_command_prints_a_line_an_image_and_a_summary_at_ctrl_c(
    rcae, finished_run, place, record, tmp_path, png, interrupted, as_json
):
    for name in ("a.png", "b.png"):
        (place / name).write_bytes(png())
    interrupted(2)
    store = ("--store", tmp_path / "record.sqlite")
    code, out, err = rcae("watch", place, finished_run, *store, *["--json"] * as_json)
    assert code == 0
    recorded = list(record.each(Query()))
    assert [one.model for one in recorded] == [finished_run.name] * 2
    good = sum(not one.is_defective for one in recorded)
    assert f"2 inspected: {good} good, {2 - good} defective" in err
    if as_json:
        assert [json.loads(line)["id"] for line in out.splitlines()] == [o.id for o in recorded]
    else:
        words = [line.split() for line in out.splitlines()]
        decisions = ["defective" if one.is_defective else "good" for one in recorded]
        assert [word[0] for word in words] == decisions
        assert [word[2] for word in words] == [one.source for one in recorded]
    assert len(list((tmp_path / "inspections-images").iterdir())) >= 2


def test_a_folder_that_is_none_is_one_sentence(rcae, finished_run, tmp_path):
    code, _, err = rcae("watch", tmp_path / "none", finished_run, "--store", tmp_path / "s.sqlite")
    assert code == 2
    assert "is not a folder" in err
    assert not (tmp_path / "s.sqlite").exists()
