import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from rcae.base.errors import UsageError
from rcae.base.machine import core_count, memory_gib
from rcae.many import cluster as clusters
from rcae.many import commands
from rcae.many.cluster import Needs
from rcae.many.commands import Command, Ended, _share, run_commands
from tests.conftest import until


@pytest.fixture
def command(tmp_path):
    return lambda *words: Command(words, tmp_path / "logs" / f"{'-'.join(words)}.txt")


def test_a_failed_command_stops_no_other_and_its_last_line_is_its_error(command):
    given = [command("merge", "gone"), command("--version"), command("nothing")]
    ended = dict(run_commands(given, Needs(cpus=core_count())))
    assert [ended[one].exit_code for one in given] == [2, 0, 2]
    assert "plan.json does not exist; give the -o" in ended[given[0]].last_line
    assert not ended[given[0]].last_line.startswith("rcae")
    assert ended[given[1]].last_line.startswith("rcae 0.")


def test_a_cluster_runs_the_same_commands(command, cluster):
    given = [command("merge", "gone"), command("--version")]
    ended = dict(run_commands(given, Needs(cpus=0.1), cluster))
    assert [ended[one].exit_code for one in given] == [2, 0]


def lost_at_first(command, needs):
    """Run as on a node that is lost while the command runs."""
    if not command.log.exists():
        command.log.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return Ended(0, "done")


def test_a_command_of_a_lost_node_is_started_again(command, cluster, monkeypatch):
    monkeypatch.setattr(commands, "run", lost_at_first)
    (given := command("job")).log.parent.mkdir()
    assert list(run_commands([given], Needs(), cluster)) == [(given, Ended(0, "done"))]


def test_no_more_processes_run_than_fit_by_cores_memory_and_gpus():
    assert Needs(cpus=2, memory_gib=4).fit(cpus=8, gpus=0, memory_gib=10) == 2
    assert Needs(cpus=2, memory_gib=4).fit(cpus=5, gpus=0, memory_gib=99) == 2
    assert Needs(cpus=1, gpus=0.5).fit(cpus=8, gpus=1, memory_gib=0) == 2
    assert Needs(cpus=0.1).fit(cpus=0.3, gpus=0, memory_gib=0) == 3
    assert Needs(cpus=2).fit(cpus=1, gpus=0, memory_gib=0) == 0


def test_each_process_sees_its_own_gpus():
    gpus = ["0", "1", "2", "3"]
    assert [_share(gpus, place, 2) for place in range(2)] == ["0,1", "2,3"]
    assert [_share(gpus, place, 1) for place in range(4)] == gpus
    assert [_share(gpus[:2], place, 0.5) for place in range(4)] == ["0", "1", "0", "1"]


@pytest.mark.parametrize(
    "needs", [Needs(cpus=core_count() + 1), Needs(memory_gib=memory_gib() + 1)]
)
def test_a_process_that_does_not_fit_is_refused(command, needs):
    with pytest.raises(UsageError, match="a process asks for"):
        list(run_commands([command("--version")], needs))


def test_nothing_to_run_needs_no_cluster():
    assert list(run_commands([], Needs(), "nowhere")) == []


CHILD = "from rcae.base.machine import end_with_parent; end_with_parent(); print(1, flush=True); "
PARENT = (
    "import subprocess, sys; "
    f"child = subprocess.Popen([sys.executable, '-c', {CHILD + 'import time; time.sleep(60)'!r}], "
    "stdout=subprocess.PIPE); child.stdout.readline(); print(child.pid, flush=True); child.wait()"
)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends a process with its parent")
def test_a_job_ends_with_the_process_that_started_it():
    with subprocess.Popen([sys.executable, "-c", PARENT], stdout=subprocess.PIPE) as parent:
        child = int(parent.stdout.readline())
        assert not has_ended(child)
        parent.kill()
    until(lambda: has_ended(child))


def has_ended(process_id):
    try:
        return "Z" in Path(f"/proc/{process_id}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return True


def test_the_cluster_is_left_after_an_error(cluster):
    import ray

    with pytest.raises(ZeroDivisionError), clusters.connected(cluster):
        raise ZeroDivisionError
    assert not ray.is_initialized()
