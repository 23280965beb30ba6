"""Workers on a real cluster; they are small, and those that end do it as a killed process does."""

import os
import signal

import pytest

from rcae.base.errors import DataError, RcaeError, UsageError
from rcae.many import cluster as clusters
from rcae.many.cluster import Needs
from rcae.many.workers import MOST_TRIES, Failure, Pool


class Worker:
    """Doubles numbers; 13 ends any worker, and 7 the first one that gets it."""

    def __init__(self, folder):
        self._folder = folder

    def ready(self):
        pass

    def work(self, piece):
        with (self._folder / str(piece)).open("a") as tries:
            tries.write("x")
        is_first = (self._folder / str(piece)).stat().st_size == 1
        if piece == 13 or (piece == 7 and is_first):
            os.kill(os.getpid(), signal.SIGKILL)
        if piece == -1:
            raise DataError("the list is damaged.")
        return 2 * piece


class NeverReady(Worker):
    def ready(self):
        os.kill(os.getpid(), signal.SIGKILL)


@pytest.fixture(scope="module")
def ray(cluster):
    with clusters.connected(cluster) as module:
        yield module


def pool(ray, worker, *arguments, size=2):
    actor = ray.remote(num_cpus=0.5)(worker)
    return Pool(ray, lambda: actor.remote(*arguments), size)


def test_every_piece_has_its_result_once_although_workers_are_killed(ray, tmp_path):
    results = list(pool(ray, Worker, tmp_path).results(range(20)))
    assert sorted(piece for piece, _ in results) == list(range(20))
    found = dict(results)
    poisoned = found.pop(13)
    assert found == {piece: 2 * piece for piece in range(20) if piece != 13}
    assert isinstance(poisoned, Failure)
    assert "ActorDiedError" in poisoned.reason
    tries = {int(file.name): file.stat().st_size for file in tmp_path.iterdir()}
    assert (tries[7], tries[13]) == (2, MOST_TRIES)


def test_an_error_of_our_own_stops_the_work_as_it_is(ray, tmp_path):
    with pytest.raises(DataError, match=r"^the list is damaged\.$"):
        list(pool(ray, Worker, tmp_path, size=1).results([1, -1, 2]))


def test_workers_that_never_get_ready_stop_the_work(ray, tmp_path):
    with pytest.raises(RcaeError, match="workers end before they are ready: ActorDiedError"):
        list(pool(ray, NeverReady, tmp_path, size=1).results([1]))


def test_workers_fit_by_what_each_node_has(ray):
    assert clusters.room(ray, Needs(cpus=1)) == 2
    assert clusters.room(ray, Needs(cpus=0.5)) == 4
    for needs in (Needs(cpus=3), Needs(gpus=0.1), Needs(memory_gib=1e6)):
        with pytest.raises(UsageError, match="no node of the cluster has"):
            clusters.room(ray, needs)


def test_an_address_without_a_cluster_is_named():
    with (
        pytest.raises(UsageError, match="there is no Ray cluster at nowhere"),
        clusters.connected("nowhere"),
    ):
        pass
