import errno
import os

import pytest

from rcae.base.errors import StorageError, UsageError
from rcae.base.storage import refusals_named, write_atomically, write_bytes, write_new, write_text


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


@pytest.mark.parametrize(("umask", "mode"), [(0o022, 0o644), (0o077, 0o600)])
def test_a_file_has_the_permissions_that_the_umask_leaves(tmp_path, umask, mode):
    before = os.umask(umask)
    try:
        write_bytes(tmp_path / "file", b"1")
    finally:
        os.umask(before)
    assert (tmp_path / "file").stat().st_mode & 0o777 == mode


def test_a_folder_that_is_a_file_is_named(tmp_path):
    (tmp_path / "taken").write_text("")
    with pytest.raises(StorageError, match="taken"):
        write_text(tmp_path / "taken" / "file.txt", "")


def test_a_new_file_has_its_permissions_and_is_never_written_over_another(tmp_path):
    write_new(tmp_path / "new" / "file", b"secret", 0o600)
    assert (tmp_path / "new" / "file").read_bytes() == b"secret"
    assert (tmp_path / "new" / "file").stat().st_mode & 0o777 == 0o600
    with pytest.raises(UsageError, match="file already exists"):
        write_new(tmp_path / "new" / "file", b"other", 0o600)
    assert (tmp_path / "new" / "file").read_bytes() == b"secret"


def test_a_new_file_that_cannot_be_finished_is_not_there(tmp_path, monkeypatch):
    def fill_up(path):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("rcae.base.storage._flush_to_disk", fill_up)
    with pytest.raises(StorageError, match=r"file.*No space left"):
        write_new(tmp_path / "file", b"half", 0o600)
    assert not list(tmp_path.iterdir())


def test_what_the_system_refuses_is_one_sentence_with_the_file():
    @refusals_named()
    def look():
        raise PermissionError(errno.EACCES, "Permission denied", "closed/run")

    with pytest.raises(StorageError, match=r"^closed/run could not be .*\(Permission denied\)"):
        look()
