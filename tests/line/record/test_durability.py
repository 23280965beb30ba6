"""What was acknowledged stays, whatever happens to the process, the server or the disk."""

import os
import signal
import sqlite3
import threading
import time
from dataclasses import replace
from uuid import uuid4

import pytest
from sqlalchemy import event

from rcae.base.errors import StorageError
from rcae.line.record import database
from rcae.line.record.inspection import Query
from rcae.line.record.record import ORDER_LOCK, Record
from tests.line.record.conftest import EXAMPLE, inspected

AT_ONCE = 3


class Adding:
    """A process that records without end, and writes each id once its recording was acknowledged.

    Forked, since imports take longer than the test; before this process opens the same record, since
    SQLite does not survive a fork.
    """

    def __init__(self, location):
        read, write = os.pipe()
        self._pid = os.fork()
        if self._pid == 0:
            try:
                record = Record.open(location)
                while True:
                    batch = [replace(EXAMPLE, id=uuid4().hex) for _ in range(AT_ONCE)]
                    for added in record.add(batch):
                        os.write(write, f"{added.id}\n".encode())
                    time.sleep(0.005)  # who never pauses leaves others no turn in SQLite
            finally:
                os._exit(1)
        os.close(write)
        self._pipe = open(read)  # noqa: PTH123, SIM115
        self.acknowledged = [self._pipe.readline().strip() for _ in range(20)]

    def kill(self):
        """Then, `acknowledged` holds all ids that ever were."""
        os.kill(self._pid, signal.SIGKILL)
        assert os.waitpid(self._pid, 0)[1] == signal.SIGKILL  # until now, it recorded
        with self._pipe:
            self.acknowledged += self._pipe.read().split()


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_nothing_acknowledged_is_lost_to_a_kill_and_numbers_follow_commits(location):
    processes = [Adding(location) for _ in range(3)]
    record = Record.open(location)
    followed = [0]
    while len(followed) < 300:
        found = record.find(Query(number_above=followed[-1]), limit=50, newest_first=False)
        followed += [one.number for one in found]
    for process in processes:
        process.kill()
    record.close()
    again = Record.open(location)
    recorded = list(again.each(Query()))
    again.close()
    acknowledged = {one for process in processes for one in process.acknowledged}
    assert len(acknowledged) >= 60
    assert acknowledged <= {one.id for one in recorded}
    assert [one.number for one in recorded][: len(followed) - 1] == followed[1:]
    assert len(recorded) % AT_ONCE == 0  # whole batches only


def test_several_processes_may_make_the_record_at_once(location):
    failures = []

    def open_it():
        try:
            Record.open(location).close()
        except Exception as error:  # noqa: BLE001
            failures.append(error)

    threads = [threading.Thread(target=open_it) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []


@pytest.fixture
def impatient(monkeypatch):
    monkeypatch.setattr(database, "PATIENCE_S", 0.2)


def locked_by_another(location, cluster):
    """A connection that holds what a writer needs."""
    if location.startswith("postgresql"):
        other = cluster.connect()
        other.execute(f"SELECT pg_advisory_lock({ORDER_LOCK})")
    else:
        other = sqlite3.connect(location, isolation_level=None)
        other.execute("BEGIN EXCLUSIVE")
    return other


def test_a_locked_record_is_refused_and_works_once_it_is_free(impatient, location, request):
    record = Record.open(location)
    is_server = location.startswith("postgresql")
    cluster = request.getfixturevalue("cluster") if is_server else None
    other = locked_by_another(location, cluster)
    with pytest.raises(StorageError, match=r"lock.*end that program's transaction, then try again"):
        record.add([inspected(1)])
    assert record.count(Query()) == 0  # reading goes on
    other.close()
    assert record.add([inspected(1)])[0].id == inspected(1).id
    record.close()


def test_a_server_that_stops_and_comes_back_needs_no_reopening(cluster):
    cluster.empty()
    record = Record.open(cluster.url)
    record.add([inspected(1)])
    cluster.stop()
    for _ in range(2):
        with pytest.raises(StorageError, match="Check that the database runs"):
            record.add([inspected(2)])
    with pytest.raises(StorageError, match="Check that the database runs"):
        record.get(inspected(1).id)
    cluster.start()
    assert record.get(inspected(1).id) is not None
    record.add([inspected(2)])
    assert record.count(Query()) == 2
    record.close()


def test_a_full_disk_under_sqlite_is_refused_and_what_was_there_stays(tmp_path):
    record = Record.open(tmp_path / "full.sqlite")
    record.add([inspected(1)])
    record.close()
    record = Record.open(tmp_path / "full.sqlite")
    limit = "PRAGMA max_page_count=1"  # as many pages as there are: the next one is one too many
    event.listen(record._engine, "connect", lambda connection, _: connection.execute(limit))
    record._engine.dispose()
    with pytest.raises(StorageError, match=r"full.*Free space on its disk"):
        record.add([inspected(number) for number in range(2, 200)])
    assert [one.number for one in record.each(Query())] == [1]
    record.close()


def test_a_server_that_may_not_be_written_is_refused(cluster):
    cluster.empty()
    record = Record.open(cluster.url)
    with cluster.connect() as other:
        other.execute("ALTER DATABASE postgres SET default_transaction_read_only = on")
    record.close()
    try:
        with pytest.raises(StorageError, match="read-only"):
            record.add([inspected(1)])
        assert record.count(Query()) == 0
    finally:
        with cluster.connect() as other:
            other.execute("SET default_transaction_read_only = off")
            other.execute("ALTER DATABASE postgres RESET default_transaction_read_only")
    record.close()


def test_what_is_acknowledged_is_on_the_disk(record, location, request):
    """As far as the database can be asked: nobody can pull the plug here."""
    with database.reading(record._engine) as connection:
        if location.startswith("postgresql"):
            with request.getfixturevalue("cluster").connect() as other:
                other.execute("ALTER DATABASE postgres SET synchronous_commit = off")
            connection.invalidate()
            fresh = record._engine.connect()
            assert fresh.exec_driver_sql("SHOW synchronous_commit").scalar_one() == "on"
            fresh.close()
            with request.getfixturevalue("cluster").connect() as other:
                other.execute("ALTER DATABASE postgres RESET synchronous_commit")
        else:
            assert connection.exec_driver_sql("PRAGMA journal_mode").scalar_one() == "wal"
            assert connection.exec_driver_sql("PRAGMA synchronous").scalar_one() == 2
