"""One process at a time."""

import subprocess
import sys
import textwrap

import pytest

from rcae.base.errors import StorageError
from rcae.line.record.record import Record
from tests.conftest import until

HOLDER = textwrap.dedent(
    """
    import sys
    from rcae.line.record.record import Record

    turn = Record.open(sys.argv[1]).turn("mqtt-1")
    print(turn.taken(), flush=True)
    sys.stdin.read()
    """
)


@pytest.fixture
def other(location):
    """The same record, as another process opens it."""
    other = Record.open(location)
    yield other
    other.close()


def test_one_has_it_until_it_gives_it_back(record, other):
    first, second, another = record.turn("mqtt-1"), other.turn("mqtt-1"), other.turn("mqtt-2")
    assert first.taken()
    assert first.taken()
    assert not second.taken()
    assert another.taken()
    first.give_back()
    assert second.taken()
    assert not first.taken()
    for turn in (first, second, second, another):
        turn.give_back()


def test_it_is_free_once_its_process_was_killed(record, location):
    command = [sys.executable, "-P", "-c", HOLDER, location]
    turn = record.turn("mqtt-1")
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout.readline() == b"True\n"
        assert not turn.taken()
        holder.kill()
        holder.wait()
    until(turn.taken)
    turn.give_back()


def test_a_server_that_was_started_again_gives_it_to_one_alone(cluster):
    cluster.empty()
    record, other = Record.open(cluster.url), Record.open(cluster.url)
    first, second = record.turn("mqtt-1"), other.turn("mqtt-1")
    assert first.taken()
    cluster.stop()
    with pytest.raises(StorageError):
        first.taken()
    cluster.start()
    assert second.taken()
    assert not first.taken()
    second.give_back()
    assert first.taken()
    first.give_back()
    record.close()
    other.close()


def test_a_folder_that_cannot_be_written_is_an_error_of_storage(tmp_path):
    record = Record.open(tmp_path / "record.sqlite")
    (tmp_path / "record.sqlite.mqtt-1.lock").mkdir()
    with pytest.raises(StorageError, match="cannot be locked"):
        record.turn("mqtt-1").taken()
    record.close()
