"""Pictures are kept within the limit, by the oldest going first, and nothing else is touched."""

import errno
import io
import os
import shutil
import threading
import time
import zipfile
from types import SimpleNamespace

import numpy as np
import pytest

from rcae.base.errors import StorageError
from rcae.line.record import kept_images
from rcae.line.record.kept_images import KeptImages
from rcae.line.record.opening import kept_images as kept_images_of
from tests.line.record.conftest import EXAMPLE, inspected

MAP = np.linspace(-1, 2, 12, dtype=np.float32).reshape(3, 4)
IMAGE = os.urandom(100_000)
ONE_MIB = 1.0  # room for ten such images


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "images"


def keep(kept, numbers):
    for number in numbers:
        kept.keep(inspected(number), IMAGE, MAP)
        file = kept._file(inspected(number).id)
        if file.exists():
            os.utime(file, ns=(number, number))  # so that their order is certain


def kept_numbers(kept):
    return [number for number in range(1, 100) if kept.image(inspected(number).id) is not None]


def size_mib(folder):
    return sum(file.stat().st_size for file in folder.rglob("*.zip")) / 2**20


def test_an_image_and_its_map_come_back_as_they_were(folder):
    kept = KeptImages(folder, ONE_MIB)
    kept.keep(EXAMPLE, IMAGE, MAP)
    assert kept.image(EXAMPLE.id) == IMAGE
    drawn = kept.working_map(EXAMPLE.id)
    assert drawn.dtype == np.float32
    np.testing.assert_array_equal(drawn, MAP)
    assert kept.image("f" * 32) is None
    assert kept.working_map("f" * 32) is None


def test_the_oldest_go_first_and_the_limit_holds_also_after_a_restart(folder):
    keep(KeptImages(folder, ONE_MIB), range(1, 26))
    again = KeptImages(folder, ONE_MIB)
    keep(again, range(26, 31))
    numbers = kept_numbers(again)
    assert numbers == list(range(numbers[0], 31))
    assert 8 <= len(numbers) <= 10
    assert size_mib(folder) <= ONE_MIB


def test_the_oldest_go_first_also_after_the_clock_was_set_back(folder):
    numbers = list(range(1, 31))
    for number in numbers[:9]:
        KeptImages(folder, ONE_MIB).keep(inspected(number), IMAGE, MAP)
    tomorrow_ns = time.time_ns() + 86_400 * 10**9
    for place, file in enumerate([*sorted(folder.rglob("*.zip")), folder / "total"]):
        os.utime(file, ns=(tomorrow_ns + place, tomorrow_ns + place))
    for number in numbers[9:]:
        KeptImages(folder, ONE_MIB).keep(inspected(number), IMAGE, MAP)
        found = kept_numbers(KeptImages(folder, ONE_MIB))
        assert found == list(range(found[0], number + 1))
    (folder / "total").unlink()
    KeptImages(folder, ONE_MIB).keep(inspected(31), IMAGE, MAP)
    assert kept_numbers(KeptImages(folder, ONE_MIB))[-1] == 31
    assert size_mib(folder) <= ONE_MIB


@pytest.mark.parametrize("written", ["{}/a.sqlite", "sqlite:///{}/a.sqlite"])
def test_pictures_lie_beside_the_record_however_its_file_is_named(written, tmp_path):
    kept_images_of(written.format(tmp_path), ONE_MIB).keep(inspected(1), IMAGE, MAP)
    assert len(list((tmp_path / "inspections-images").rglob("*.zip"))) == 1


def test_a_smaller_limit_is_reached_with_the_next_picture(folder):
    keep(KeptImages(folder, ONE_MIB), range(1, 9))
    keep(KeptImages(folder, 0.3), [9])
    assert kept_numbers(KeptImages(folder, 0.3)) == [7, 8, 9]


def test_more_than_is_deleted_at_once_goes_too(folder, monkeypatch):
    monkeypatch.setattr(kept_images, "DELETED_AT_ONCE", 2)
    keep(KeptImages(folder, ONE_MIB), range(1, 9))
    keep(KeptImages(folder, 0.2), [9])
    assert kept_numbers(KeptImages(folder, ONE_MIB)) == [8, 9]


def test_the_limit_holds_while_several_write(folder):
    largest, done = [0.0], threading.Event()

    def watch():
        while not done.is_set():
            largest[0] = max(largest[0], size_mib(folder) if folder.exists() else 0)

    def write(start):
        keep(KeptImages(folder, ONE_MIB), range(start, start + 12))

    def size_mib(folder):
        total = 0
        for file in folder.rglob("*.zip"):
            try:
                total += file.stat().st_size
            except FileNotFoundError:
                continue
        return total / 2**20

    watcher = threading.Thread(target=watch)
    writers = [threading.Thread(target=write, args=(1 + 20 * place,)) for place in range(3)]
    watcher.start()
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    done.set()
    watcher.join()
    # Files come and go while they are added up, so one of each writer may count twice.
    assert 0.5 < largest[0] <= ONE_MIB + 3 * len(IMAGE) / 2**20
    assert size_mib(folder) <= ONE_MIB


def test_the_folder_is_seldom_looked_through(folder, monkeypatch):
    looks = []
    real = KeptImages._make_room

    def counted(self, needed):
        looks.append(needed)
        return real(self, needed)

    monkeypatch.setattr(KeptImages, "_make_room", counted)
    kept = KeptImages(folder, 10 * ONE_MIB)
    keep(kept, range(1, 90))
    assert len(looks) == 1  # to begin with
    keep(kept, range(90, 150))
    assert len(looks) <= 1 + 60 / 5  # a twentieth of the limit is the room of five


class Disk:
    """A disk of this size with nothing else on it, for pictures in a folder."""

    def __init__(self, folder, size_mib, monkeypatch):
        self.folder, self.size_mib = folder, size_mib
        monkeypatch.setattr(kept_images, "RESERVE_BYTES", 2**20)
        monkeypatch.setattr(kept_images, "RESERVE_SPARE_BYTES", 2**18)
        monkeypatch.setattr(shutil, "disk_usage", self.usage)

    def usage(self, place):
        return SimpleNamespace(free=int((self.size_mib - size_mib(self.folder)) * 2**20))


def test_on_a_full_disk_the_oldest_go_and_the_reserve_stays_free(folder, monkeypatch):
    disk = Disk(folder, 2.0, monkeypatch)  # a half of it is the reserve
    kept = KeptImages(folder, 100)
    for number in range(1, 26):
        keep(kept, [number])
        assert disk.usage(folder).free >= 2**20
    numbers = kept_numbers(kept)
    assert numbers == list(range(numbers[0], 26))
    assert 7 <= len(numbers) <= 10
    disk.size_mib = 1.5  # something else grows
    kept.keep_reserve()
    numbers = kept_numbers(kept)
    assert numbers == list(range(numbers[0], 26))
    assert 1 <= len(numbers) <= 4
    assert kept.has_reserve


def test_where_something_else_fills_the_disk_every_picture_goes_and_none_is_kept(
    folder, monkeypatch
):
    disk = Disk(folder, 100, monkeypatch)
    kept = KeptImages(folder, 100)
    keep(kept, range(1, 4))
    disk.size_mib = 0.5
    with pytest.raises(StorageError, match="1 MiB left, which are reserved for the record"):
        kept.keep(inspected(4), IMAGE, MAP)
    assert kept_numbers(kept) == []
    assert not kept.has_reserve
    disk.size_mib = 100
    keep(kept, [5])
    assert kept_numbers(kept) == [5]


def test_a_disk_that_frees_space_late_does_not_cost_all_pictures(folder, monkeypatch):
    Disk(folder, 100, monkeypatch)
    kept = KeptImages(folder, 100)
    keep(kept, range(1, 21))
    free = SimpleNamespace(free=2**20 - 1)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: free)  # whatever is deleted
    kept.keep_reserve()
    assert len(kept_numbers(kept)) == 17  # a quarter of a MiB is in three


def test_a_total_that_was_lost_or_spoilt_is_counted_anew(folder):
    keep(KeptImages(folder, ONE_MIB), range(1, 11))
    for spoilt in (b"", b"\xff\x00", b"many"):
        (folder / "total").write_bytes(spoilt)
        keep(KeptImages(folder, ONE_MIB), [50])
        assert size_mib(folder) <= ONE_MIB
    for file in folder.rglob("*.zip"):
        file.unlink()  # by hand: the total is far too large
    keep(KeptImages(folder, ONE_MIB), range(60, 70))
    assert kept_numbers(KeptImages(folder, ONE_MIB)) == list(range(60, 70))


def test_files_of_others_are_neither_counted_nor_deleted(folder, tmp_path):
    mine = [folder / "notes.txt", folder / "holidays" / "sea.png", folder / "00" / "sea.png"]
    for file in mine:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(IMAGE)
    (folder / "ab").symlink_to(tmp_path)
    keep(KeptImages(folder, ONE_MIB), range(1, 31))
    assert all(file.read_bytes() == IMAGE for file in mine)
    assert len(kept_numbers(KeptImages(folder, ONE_MIB))) >= 8


def test_what_a_killed_process_left_half_written_goes_when_it_is_the_oldest(folder):
    kept = KeptImages(folder, ONE_MIB)
    keep(kept, [1])
    left = folder / "00" / f".{inspected(2).id}.zip.x1y2.part"
    left.write_bytes(IMAGE)
    os.utime(left, ns=(0, 0))
    keep(kept, range(3, 15))
    assert not left.exists()


def test_without_a_limit_nothing_is_kept_and_no_folder_made(folder):
    KeptImages(folder, 0).keep(EXAMPLE, IMAGE, MAP)
    assert not folder.exists()
    assert KeptImages(folder, 0).image(EXAMPLE.id) is None


def test_a_picture_larger_than_the_limit_does_not_drive_the_others_out(folder):
    kept = KeptImages(folder, ONE_MIB)
    keep(kept, [1, 2])
    kept.keep(inspected(3), os.urandom(2**20), MAP)
    assert kept_numbers(kept) == [1, 2]


@pytest.mark.parametrize(
    "id_", ["", "../../etc/passwd", "A" * 32, "0" * 33, "0" * 32 + "\n", "٣" * 32]
)
def test_what_is_no_id_never_reaches_the_disk(folder, id_):
    kept = KeptImages(folder, ONE_MIB)
    for ask in (kept.image, kept.working_map):
        with pytest.raises(ValueError, match="is not the id"):
            ask(id_)


@pytest.mark.parametrize("damage", ["cut", "flipped", "foreign", "pickled", "empty"])
def test_a_damaged_picture_is_said_to_be_one(folder, damage):
    kept = KeptImages(folder, ONE_MIB)
    kept.keep(EXAMPLE, IMAGE, MAP)
    (file,) = folder.rglob("*.zip")
    content = bytearray(file.read_bytes())
    if damage == "cut":
        content = content[:50_000]
    elif damage == "flipped":
        content[60:200] = bytes(140)  # of the image alone
    elif damage == "empty":
        content = b""
    else:
        drawn = io.BytesIO()
        np.save(drawn, np.array([{}], dtype=object), allow_pickle=True)
        with zipfile.ZipFile(file, "w") as pack:
            pack.writestr("working_map.npy" if damage == "pickled" else "other", drawn.getvalue())
        content = file.read_bytes()
    file.write_bytes(content)
    for ask in (kept.image,) if damage == "flipped" else (kept.image, kept.working_map):
        with pytest.raises(StorageError, match=r"cannot be read.*only a picture is lost"):
            ask(EXAMPLE.id)


@pytest.mark.parametrize(
    ("header", "place", "value"),
    [
        (b"PK\x01\x02", 6, 255),  # the version of the format that it needs
        (b"PK\x01\x02", 8, 1),  # said to be encrypted
        (b"PK\x01\x02", 10, 255),  # compressed in an unknown way
        (b"PK\x03\x04", 29, 255),  # the image begins behind the end
    ],
)
def test_a_byte_turned_over_in_a_header_is_damage_too(folder, header, place, value):
    kept = KeptImages(folder, ONE_MIB)
    kept.keep(EXAMPLE, b"image", MAP)
    (file,) = folder.rglob("*.zip")
    content = bytearray(file.read_bytes())
    content[content.index(header) + place] = value
    file.write_bytes(content)
    with pytest.raises(StorageError, match=r"cannot be read \(.+\).*only a picture is lost"):
        kept.image(EXAMPLE.id)


def test_a_full_disk_is_refused_and_leaves_nothing_half_written(folder, monkeypatch):
    kept = KeptImages(folder, ONE_MIB)
    keep(kept, [1])

    def full(*_, **__):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr("os.fsync", full)
        with pytest.raises(StorageError, match="No space left on device"):
            kept.keep(inspected(2), IMAGE, MAP)
    with monkeypatch.context() as patch:
        patch.setattr("pathlib.Path.write_text", full)
        with pytest.raises(StorageError, match=r"No space left on device.*free space"):
            kept.keep(inspected(3), IMAGE, MAP)
    assert kept_numbers(kept) == [1]
    assert not list(folder.rglob("*.part"))
    keep(kept, [4])
    assert kept_numbers(kept) == [1, 4]


def test_a_process_that_hangs_with_the_lock_holds_nobody_up_for_long(folder, monkeypatch):
    kept = KeptImages(folder, ONE_MIB)
    keep(kept, [1])
    monkeypatch.setattr(kept_images, "LOCK_TIMEOUT_S", 0.1)
    with kept._lock(), pytest.raises(StorageError, match=r"total.lock is held by another program"):
        KeptImages(folder, ONE_MIB).keep(inspected(2), IMAGE, MAP)
    keep(kept, [3])
    assert kept_numbers(kept) == [1, 3]
