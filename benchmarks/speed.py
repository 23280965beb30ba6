"""Latency, throughput and memory of prediction in every runtime, and of anomalib's models beside it.

    python benchmarks/speed.py -o OUT
    python benchmarks/speed.py -o OUT --sizes 256 --batches 1 --threads 2 --only onnxruntime,patchcore

Every case has a process of its own, from a batch of bytes to map and score. Cases that are compared
take turns, so that a machine that slows down slows all of them. The machine's ceiling (a large matrix
product, a large copy) is measured in the same run. Writes `speed.md`, `speed.csv`, `parts.csv` and
`speed.png` to OUT; run again, it keeps the cases that OUT/rows.jsonl has. anomalib (the
extra `peers`) may be installed in another environment, given as `--peers-python`; where it is missing,
its rows say so. Nothing else should run beside it; all cases together need about 16 GiB of memory.
"""

import argparse
import json
import sys
import time
from dataclasses import asdict
from pathlib import Path

import numpy as np
from speed_cases import (
    CEILING,
    LONGEST_S,
    MODULES,
    PEERS,
    Case,
    Results,
    Row,
    groups,
    left_s,
)
from speed_process import Worker
from speed_tables import write_tables

TURNS = 5
"""In which a case is measured."""
LEAST_CALLS = 3
PATIENCE_S = 1.0
"""A case is warmed up by a second call where the first took less."""


def main() -> None:
    """Measure what is missing, then write tables and chart."""
    options = _options()
    options.output.mkdir(parents=True, exist_ok=True)
    results = Results.open(options.output / "rows.jsonl")
    wanted = groups(options.only, options.sizes, options.batches, options.threads)
    todo = [[case for case in group if results.of(case) is None] for group in wanted]
    todo = [group for group in todo if group]
    started_at = time.perf_counter()
    workers: dict[str, Worker] = {}
    try:
        for place, group in enumerate(todo):
            cases = [case for later in todo[place:] for case in later]
            minutes = (time.perf_counter() - started_at) / 60
            first = group[0]
            print(
                f"{len(cases)} cases left, {minutes:.1f} min done, about "
                f"{left_s(cases, results, options.seconds) / 60:.0f} min to go; "
                f"now {first.size_px} px, batch {first.batch}, threads {first.threads}",
                flush=True,
            )
            _measure(group, workers, results, options)
    finally:
        for worker in workers.values():
            worker.end()
    write_tables(options.output, results)
    print(f"{options.output / 'speed.md'}")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--sizes", type=_numbers, default=(256, 512, 1024), help="in px")
    parser.add_argument("--batches", type=_numbers, default=(1, 8))
    parser.add_argument("--threads", type=_numbers, default=(1, 2))
    models = [model for model in MODULES if model not in CEILING]
    parser.add_argument("--only", type=lambda text: text.split(","), default=models)
    parser.add_argument("--seconds", type=float, default=3.0, help="of measuring, for each case")
    parser.add_argument("--peers-python", default=sys.executable, help="where anomalib is")
    options = parser.parse_args()
    if unknown := set(options.only) - set(models):
        parser.error(f"--only knows {', '.join(models)}, not {', '.join(unknown)}")
    return options


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(map(int, text.split(",")))


def _measure(
    group: list[Case], workers: dict[str, Worker], results: Results, options: argparse.Namespace
) -> None:
    """Build one case after the other, let them take turns, end them one after the other."""
    for case in group:
        if case.model not in workers:  # all at once, as importing takes long
            python = options.peers_python if case.model in PEERS else sys.executable
            workers[case.model] = Worker(MODULES[case.model], python, options.output / "log.txt")
    answers: dict[Case, Row] = {}
    latencies_s: dict[Case, list[float]] = {}
    for case in group:
        expected_s = results.expected_s(case)
        if case.model in PEERS and expected_s > LONGEST_S:
            answers[case] = {"failed": f"left out, a batch would take about {expected_s:.0f} s"}
            continue
        answer = _started(case, workers, options)
        if "failed" in answer:
            answers[case] = answer
        else:
            latencies_s[case] = []
    while waiting := [case for case in latencies_s if _is_unfinished(latencies_s[case], options)]:
        for case in waiting:
            answer = workers[case.model].ask(f"measure {options.seconds / TURNS}")
            if "failed" in answer:
                answers[case] = answer
                del latencies_s[case]
            else:
                latencies_s[case] += answer["latencies_s"]
    for case, taken_s in latencies_s.items():
        answers[case] = {**_summary(taken_s), **workers[case.model].ask("end")}
    for case in group:
        results.add(case, answers[case])


def _started(case: Case, workers: dict[str, Worker], options: argparse.Namespace) -> Row:
    """A case built and warmed up in its model's process."""
    folder = options.output / "exported"
    if MODULES[case.model] == "speed_exported" and not folder.exists():
        exporter = Worker("speed_ours", sys.executable, options.output / "log.txt")
        line = {**asdict(case), "model": "export", "folder": str(folder), "patience_s": 0}
        answer = exporter.ask(json.dumps(line))
        exporter.end()
        if "failed" in answer:
            return answer
    line = {**asdict(case), "folder": str(folder), "patience_s": PATIENCE_S}
    return workers[case.model].ask(json.dumps(line))


def _is_unfinished(latencies_s: list[float], options: argparse.Namespace) -> bool:
    return sum(latencies_s) < 0.9 * options.seconds or len(latencies_s) < LEAST_CALLS


def _summary(latencies_s: list[float]) -> Row:
    return {
        "median_ms": 1000 * float(np.median(latencies_s)),
        "p95_ms": 1000 * float(np.percentile(latencies_s, 95)),
        "fastest_ms": 1000 * min(latencies_s),
        "calls": len(latencies_s),
    }


if __name__ == "__main__":
    main()
