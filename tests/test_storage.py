import errno

import pytest

from rcae.errors import StorageError
from rcae.storage import write_atomically, write_bytes, write_text


def test_what_was_written_is_read_back(tmp_path):
    write_text(tmp_path / "new" / "file.txt", "prüfen\n")
    assert (tmp_path / "new" / "file.txt").read_bytes() == "prüfen\n".encode()


def test_a_full_disk_leaves_the_old_file_and_no_other(tmp_path):
    target = tmp_path / "file.bin"
    write_bytes(target, b"old")

    def fill_up(path):
        path.write_bytes(b"half")
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(StorageError, match=r"file\.bin.*No space left.*Free space"):
        write_atomically(target, fill_up)
    assert target.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [target]


def test_an_interruption_while_writing_leaves_the_old_file_and_no_other(tmp_path):
    target = tmp_path / "file.bin"
    write_bytes(target, b"old")

    def interrupt(path):
        path.write_bytes(b"half")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_atomically(target, interrupt)
    assert target.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [target]


def test_a_folder_that_is_a_file_is_named(tmp_path):
    (tmp_path / "taken").write_text("")
    with pytest.raises(StorageError, match="taken"):
        write_text(tmp_path / "taken" / "file.txt", "")
