"""One machine as a cluster: plain processes beside one-core Ray nodes, killed workers, and a long plan.

    python benchmarks/cluster.py RUN IMAGE... [--images 5000] [--rows 1000000] [--nodes 2,4]

Links the images in turn until there are as many as asked for, in a folder that is removed afterwards, and
inspects them: by one process, by a shard in each of several processes, and by as many Ray nodes of one core
each, which are a simulation on this machine. Every process has one thread. Prints a table in Markdown, and
whether all scores are those of one process. Then kills two of two workers at random, and plans a Parquet
file of paths that need not exist. The exit code is 1 if a score differs, or an image is lost or there twice.
Last comes a calculation for an archive on many such machines, from the Ray nodes with the least time per
image and core.
Needs Linux, for the memory in use and to find workers.
"""

import argparse
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import cycle, islice
from pathlib import Path

COLUMNS = (
    "case",
    "start-up s",
    "s",
    "images/s",
    "ms per image and core",
    "peak MiB",
    "same scores",
)
ROWS_AT_ONCE = 100_000
ARCHIVE = 10_000_000
MACHINES = 50
WORKER = b"ray::PartWorker.work"
PLAN = """
import resource, sys, time
from pathlib import Path
from rcae.many.inputs import locations
from rcae.many.plan import divide
before, started_at = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.perf_counter()
division = divide(locations([sys.argv[1]]), Path(sys.argv[2]))
used = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
print(f"{division.image_count} rows planned in {time.perf_counter() - started_at:.1f} s, "
      f"{len(division.offsets)} parts, {used:.0f} MiB more than before")
"""


@dataclass(frozen=True)
class Case:
    """A way to inspect: commands that run at the same time, each given the paths and an output folder."""

    name: str
    commands: Callable[[Path, Path], list[list[str]]]
    cores: int


def main() -> None:
    """Measure every case, print the table, kill workers, plan."""
    options = _options()
    os.environ |= {
        "RAY_USAGE_STATS_ENABLED": "0",
        "RAY_worker_niceness": "0",  # as plain processes
        "OMP_NUM_THREADS": "1",
    }
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        images = _linked(options.images, folder / "images", options.count)
        first = _linked(options.images, folder / "one", 1)
        expected: list[object] = []
        is_right, fastest_ms = True, float("inf")
        print("| " + " | ".join(COLUMNS) + " |\n|" + "---|" * len(COLUMNS), flush=True)
        for number, case in enumerate(_plain_cases(options.run, options.nodes)):
            is_same, _ = _measure(case, images, first, folder / f"plain-{number}", expected)
            is_right &= is_same
        for nodes in options.nodes:
            with _cluster(nodes) as address:
                case = _ray_case(options.run, nodes, address)
                is_same, ms = _measure(case, images, first, folder / f"ray-{nodes}", expected)
                is_right &= is_same
                fastest_ms = min(fastest_ms, ms)
        with _cluster(2) as address:
            case = _ray_case(options.run, 2, address)
            is_right &= _with_killed_workers(case, images, folder / "killed", expected)
        _plan(folder, options.rows)
    _calculate(fastest_ms)
    sys.exit(0 if is_right else 1)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", type=Path)
    parser.add_argument("images", type=Path, nargs="+")
    parser.add_argument("--images", dest="count", type=int, default=5000, help="number of images")
    parser.add_argument("--rows", type=int, default=1_000_000, help="of the plan")
    parser.add_argument(
        "--nodes",
        type=lambda text: [int(part) for part in text.split(",")],
        default=[2, 4],
        help="numbers of processes and of nodes",
    )
    return parser.parse_args()


def _linked(images: Sequence[Path], folder: Path, count: int) -> Path:
    folder.mkdir()
    for number, image in enumerate(islice(cycle(images), count)):
        (folder / f"{number:06d}{image.suffix}").symlink_to(image.resolve())
    return folder


def _plain_cases(run: Path, counts: Sequence[int]) -> Iterator[Case]:
    yield Case("1 process", lambda images, out: [_predict(run, images, out)], 1)
    for count in counts:
        yield Case(
            f"{count} processes",
            lambda images, out, count=count: [
                [*_predict(run, images, out), "--shard", f"{number}/{count}"]
                for number in range(1, count + 1)
            ],
            count,
        )


def _ray_case(run: Path, nodes: int, address: str) -> Case:
    return Case(
        f"{nodes} Ray nodes",
        lambda images, out: [[*_predict(run, images, out), "--ray", address]],
        nodes,
    )


def _predict(run: Path, images: Path, output: Path) -> list[str]:
    return _rcae("predict", run, images, "-o", output)


def _rcae(*words: object) -> list[str]:
    return [sys.executable, "-m", "rcae", *map(str, words)]


@contextmanager
def _cluster(nodes: int) -> Iterator[str]:
    """Start a cluster whose head has no core, and whose nodes have one each."""
    from ray.cluster_utils import Cluster

    memory = {"object_store_memory": 80 * 2**20}
    cluster = Cluster(
        initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False, **memory}
    )
    try:
        for _ in range(nodes):
            cluster.add_node(num_cpus=1, **memory)
        yield cluster.address
    finally:
        cluster.shutdown()


def _measure(
    case: Case, images: Path, first: Path, output: Path, expected: list[object]
) -> tuple[bool, float]:
    """Print the row of a case; the first case says what to expect of the others.

    Returns:
        True if all answers are those of the first case, and the milliseconds per image and core.
    """
    start_s, _ = _run(case, first, output.with_name(f"{output.name}-first"))
    total_s, peak_mib = _run(case, images, output)
    found = _answers(output)
    expected.extend(found if not expected else [])
    count = len(found)
    ms = 1000 * max(total_s - start_s, 0) * case.cores / count
    is_same = found == expected
    cells = (
        *(case.name, f"{start_s:.1f}", f"{total_s:.1f}", f"{count / total_s:.1f}", f"{ms:.1f}"),
        *(f"{peak_mib:.0f}", "yes" if is_same else "NO"),
    )
    print("| " + " | ".join(cells) + " |", flush=True)
    shutil.rmtree(output)
    return is_same, ms


def _run(case: Case, images: Path, output: Path) -> tuple[float, float]:
    """Run the commands at the same time; return their duration, and the memory of all that we started."""
    started_at, peak_mib = time.perf_counter(), 0.0
    running = [
        subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)  # noqa: S603
        for command in case.commands(images, output)
    ]
    readers = [threading.Thread(target=_echo_errors, args=(one,)) for one in running]
    for reader in readers:
        reader.start()
    while any(one.poll() is None for one in running):
        peak_mib = max(peak_mib, _memory_mib())
        time.sleep(0.2)
    for reader in readers:
        reader.join()
    return time.perf_counter() - started_at, peak_mib


def _echo_errors(process: subprocess.Popen[bytes]) -> None:
    assert process.stderr is not None
    for line in process.stderr.read().decode(errors="replace").splitlines():
        if "error" in line:
            print(line, file=sys.stderr)


def _memory_mib() -> float:
    """Return the memory of all processes below this one; what they share is counted once."""
    parents = {}
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            parents[int(status.parent.name)] = int(status.read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue
    below = {os.getpid()}
    for _ in range(6):  # generations
        below |= {child for child, parent in parents.items() if parent in below}
    total_kib = 0
    for process in below - {os.getpid()}:
        try:
            for line in Path(f"/proc/{process}/smaps_rollup").read_text().splitlines():
                total_kib += int(line.split()[1]) if line.startswith("Pss:") else 0
        except OSError:
            continue
    return total_kib / 1024


def _answers(output: Path) -> list[object]:
    """Return path, score and decision of every image, in order, of merged parts if there are some."""
    if (output / "parts").exists():
        subprocess.run(_rcae("merge", output), check=True, capture_output=True)  # noqa: S603
    with (output / "predictions.jsonl").open(encoding="utf-8") as lines:
        rows = map(json.loads, lines)
        return [(row["path"], row["anomaly_score"], row["decision"]) for row in rows]


def _with_killed_workers(
    case: Case, images: Path, output: Path, expected: Sequence[object]
) -> bool:
    """Kill two workers while they inspect, and look whether any image is lost or there twice."""
    killed: list[int] = []
    done = threading.Event()
    killer = threading.Thread(target=_kill, args=(output, killed, done))
    killer.start()
    total_s, _ = _run(case, images, output)
    done.set()
    killer.join()
    is_same = _answers(output) == expected
    print(
        f"\n{len(killed)} workers killed, {total_s:.1f} s: each image once: {is_same}", flush=True
    )
    return is_same and len(killed) == 2


def _kill(output: Path, killed: list[int], done: threading.Event) -> None:
    chance = random.Random(0)  # noqa: S311  a test, no secret
    while len(killed) < 2 and not done.wait(chance.uniform(0.5, 3)):
        workers = [] if not any(output.glob("parts/*.parquet")) else _workers()
        if workers:
            killed.append(chance.choice(workers))
            os.kill(killed[-1], signal.SIGKILL)


def _workers() -> list[int]:
    found = []
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if file.read_bytes().startswith(WORKER):
                found.append(int(file.parent.name))
        except OSError:
            continue
    return found


def _plan(folder: Path, rows: int) -> None:
    """Plan a table of paths in a process of its own."""
    import pyarrow as pa
    from pyarrow import parquet

    schema = pa.schema({"path": pa.string()})
    with parquet.ParquetWriter(folder / "paths.parquet", schema) as writer:
        for start in range(0, rows, ROWS_AT_ONCE):
            numbers = range(start, min(start + ROWS_AT_ONCE, rows))
            paths = [f"/archive/2026/line-3/{number:09d}.png" for number in numbers]
            writer.write_table(pa.table({"path": paths}, schema))
    words = [sys.executable, "-c", PLAN, str(folder / "paths.parquet"), str(folder / "list.jsonl")]
    subprocess.run(words, check=True)  # noqa: S603


def _calculate(ms: float) -> None:
    """Print how long an archive takes, and what that assumes; nothing is inspected."""
    cores = MACHINES * (os.cpu_count() or 1)
    hours = ARCHIVE * ms / 1000 / cores / 3600
    print(
        f"\n{ARCHIVE:,} such images on {MACHINES} such machines: {hours:.1f} h by calculation. {cores} cores "
        f"take {ms:.1f} ms for an image each, storage delivers as fast as this disk, and no worker is lost."
    )


if __name__ == "__main__":
    main()
