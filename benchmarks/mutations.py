"""Damage image files at random, and judge how they are read: as a sound image, or not at all.

Each mutation flips bits, overwrites a few bytes, cuts the end off, repeats a part, or joins two files. A
file must then be refused by an `ImageError` that names it, or give an image whose header and pixels agree
and whose values lie in 0..1. Anything else is printed with its number, and the exit code is 1. The table
counts outcomes by suffix.

    python benchmarks/mutations.py FOLDER --count 100000
"""

import argparse
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.random import Generator

from rcae.base.errors import ImageError
from rcae.base.progress import shown
from rcae.data.image_files import ImageContent, read_header
from rcae.data.images import read_image

LONGEST_S = 5.0
"""Time that one file may take."""


def main() -> None:
    """Mutate, judge, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "folder", type=Path, help="folder with image files, searched with all below"
    )
    parser.add_argument("--count", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    files = sorted(path for path in options.folder.rglob("*") if path.is_file())
    outcomes: Counter[tuple[str, str]] = Counter()
    faults = 0
    for number in shown(range(options.count), "mutating"):
        random = np.random.default_rng([options.seed, number])
        file, other = (files[int(random.integers(len(files)))] for _ in range(2))
        content = mutated(file.read_bytes(), other.read_bytes(), random)
        try:
            outcome = judged(ImageContent(file.name, content))
        except Exception as error:  # noqa: BLE001
            outcome, faults = "FAULT", faults + 1
            print(f"mutation {number} of {file}: {type(error).__name__}: {error}")
        outcomes[file.suffix.lower(), outcome] += 1
    for suffix in sorted({suffix for suffix, _ in outcomes}):
        counts = {name: count for (of, name), count in sorted(outcomes.items()) if of == suffix}
        print(suffix, counts)
    sys.exit(bool(faults))


def judged(content: ImageContent) -> str:
    """Return "refused", or "read" for an image that keeps every rule; raise AssertionError else."""
    started_at = time.perf_counter()
    try:
        header = read_header(content)
        image = read_image(content)
    except ImageError as error:
        if content.name not in str(error):
            raise AssertionError(f"no name in '{error}'") from error
        return "refused"
    finally:
        assert time.perf_counter() - started_at < LONGEST_S, "too slow"
    assert image.shape == (header.height_px, header.width_px, 3), "header and pixels differ"
    assert image.dtype == np.float32
    assert 0 <= image.min() <= image.max() <= 1
    return "read"


def mutated(content: bytes, other: bytes, random: Generator) -> bytes:
    """Return a file with one to four mutations."""
    for _ in range(int(random.integers(1, 5))):
        kinds: list[Callable[[bytes, bytes, Generator], bytes]] = [
            _flip,
            _overwrite,
            _cut,
            _repeat,
            _join,
        ]
        weights = (0.35, 0.35, 0.1, 0.1, 0.1)
        content = kinds[int(random.choice(len(kinds), p=weights))](content, other, random)
    return content


def _place(content: bytes, random: Generator) -> int:
    """Draw a place; every second one lies in the first bytes, where headers are."""
    most = len(content) if random.random() < 0.5 else min(len(content), 256)
    return int(random.integers(max(most, 1)))


def _flip(content: bytes, _: bytes, random: Generator) -> bytes:
    damaged = bytearray(content or b"\0")
    damaged[_place(content, random)] ^= 1 << int(random.integers(8))
    return bytes(damaged)


def _overwrite(content: bytes, _: bytes, random: Generator) -> bytes:
    place, count = _place(content, random), int(random.integers(1, 9))
    values = random.choice([random.bytes(count), b"\0" * count, b"\xff" * count])
    return content[:place] + bytes(values) + content[place + count :]


def _cut(content: bytes, _: bytes, random: Generator) -> bytes:
    return content[: _place(content, random)]


def _repeat(content: bytes, _: bytes, random: Generator) -> bytes:
    place, count = _place(content, random), int(random.integers(1, 64))
    return content[: place + count] + content[place:]


def _join(content: bytes, other: bytes, random: Generator) -> bytes:
    return content[: _place(content, random)] + other[_place(other, random) :]


if __name__ == "__main__":
    main()
