"""The command on a real cluster of this machine."""

import json
import os
import signal
import threading
import time
from pathlib import Path

import pytest

from rcae.detector.detector import Detector
from rcae.detector.predictions import predicted
from rcae.many.inspection import Request, _inspect_singly, inspect_shard
from rcae.many.parts import file_of, read_part
from rcae.many.plan import Model, open_plan, read_plan
from rcae.many.workers import Failure


def answers(output):
    lines = (output / "predictions.jsonl").read_text(encoding="utf-8").splitlines()
    return [{**json.loads(line), "milliseconds": None} for line in lines]


def kill_one_worker(output):
    """Kill a worker in the middle of a part, once some are done."""
    late = time.monotonic() + 60
    while time.monotonic() < late:
        if len([*output.glob("parts/*.parquet")]) >= 2:
            for status in Path("/proc").glob("[0-9]*/cmdline"):
                try:
                    is_busy = status.read_bytes().startswith(b"ray::PartWorker.work")
                except OSError:
                    continue
                if is_busy:
                    os.kill(int(status.parent.name), signal.SIGKILL)
                    return
        time.sleep(0.001)


def test_a_cluster_has_the_scores_of_one_process_although_a_worker_is_killed(
    rcae, cluster, finished_run, archive, tmp_path
):
    alone, many = tmp_path / "alone", tmp_path / "many"
    assert rcae("predict", finished_run, archive, "-o", alone)[0] == 3
    killer = threading.Thread(target=kill_one_worker, args=(many,))
    killer.start()
    words = ("predict", finished_run, archive, "-o", many, "--ray", cluster)
    code, _, error = rcae(*words, "--workers", 1)
    killer.join()
    assert code == 3
    assert "1 of 43 images could not be inspected" in error
    assert "a worker has ended and is replaced" in error
    assert rcae("merge", many)[0] == 0
    assert answers(many) == answers(alone)

    before = {path: path.stat().st_mtime_ns for path in many.glob("parts/*")}
    lost = file_of(many, 3)
    lost.unlink()
    assert rcae(*words, "--workers", 1)[0] == 3
    after = {path: path.stat().st_mtime_ns for path in many.glob("parts/*")}
    assert {path for path in after if after[path] != before[path]} == {lost}


def test_an_image_that_ends_its_workers_costs_its_own_row(finished_run, archive, tmp_path):
    request = Request(finished_run, (str(archive),), tmp_path / "out")
    detector = request.load()
    plan = open_plan(request.output, request.inputs, Model.of(detector))
    inspect_shard(request, 1, 1)
    expected = list(read_part(plan, 1))
    file_of(tmp_path / "out", 1).unlink()

    class Singly:
        """The results of a pool whose workers one image ends."""

        def results(self, pieces):
            for part, place in reversed(pieces):
                (row,) = predicted_rows(part, place)
                yield (part, place), Failure("killed") if place == 4 else row.to_json()

    def predicted_rows(part, place):
        from rcae.detector.predictions import Pictures

        return predicted(detector, [plan.locations(part)[place]], Pictures(tmp_path))

    _inspect_singly(Singly(), plan, [1])
    rows = list(read_part(plan, 1))
    poisoned = rows.pop(4)
    assert (poisoned.decision, poisoned.path) == ("unreadable", expected.pop(4).path)
    assert "ended 3 workers (killed)" in poisoned.error
    assert [row.anomaly_score for row in rows] == [row.anomaly_score for row in expected]


def test_a_node_with_another_model_is_refused(rcae, cluster, finished_run, archive, tmp_path):
    pytest.importorskip("ray")
    plan = read_plan_of_another_model(finished_run, archive, tmp_path / "out")
    from rcae.many.inspection import PartWorker

    worker = PartWorker(Request(finished_run, plan.inputs, plan.output))
    from rcae.base.errors import RcaeError

    with pytest.raises(RcaeError, match="is another model than the plan's"):
        worker.ready()


def read_plan_of_another_model(run, archive, output):
    model = Model.of(Detector.load(run))
    open_plan(output, [str(archive)], Model(model.weights_sha256, model.threshold + 1))
    return read_plan(output)


def test_shard_and_ray_exclude_each_other(rcae, finished_run, archive, tmp_path):
    words = ("predict", finished_run, archive, "-o", tmp_path / "out")
    code, _, error = rcae(*words, "--shard", "1/2", "--ray", "local")
    assert code == 2
    assert "exclude each other" in error
