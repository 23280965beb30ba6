import os
import struct
import zlib
from collections.abc import Callable
from itertools import count
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

WritePart = Callable[..., Path]


def draw_part(number: int, height: int = 24, width: int = 20) -> NDArray[np.uint8]:
    """Noise that is different for each number, uint8 RGB."""
    return np.random.default_rng(number).integers(0, 256, (height, width, 3), dtype=np.uint8)


def png_chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png_header(width: int, height: int) -> bytes:
    """A PNG of 8-bit RGB without a single pixel."""
    header = png_chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + png_chunk(b"IDAT", b"") + png_chunk(b"IEND", b"")


def listed(category):
    """(split, defect type, image, mask) of each record, relative to the category's folder."""

    def relative(*paths):
        return paths[0].relative_to(category.root).as_posix() if paths else None

    return [
        (r.split, r.defect_type, relative(r.path), relative(*r.mask_paths))
        for r in category.samples
    ]


@pytest.fixture
def make_files(tmp_path: Path) -> Callable[..., Path]:
    """Makes empty files in a folder, for what may not open any."""

    def make(root: str, *names: str) -> Path:
        for name in names:
            path = tmp_path / root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
        return tmp_path / root

    return make


@pytest.fixture
def write_part() -> WritePart:
    """Writes a small image, different from all before."""
    numbers = count()

    def write(path: Path, height: int = 24, width: int = 20) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(draw_part(next(numbers), height, width)).save(path)
        return path

    return write


@pytest.fixture
def write_mask() -> WritePart:
    """Writes a mask with one defect, white on black."""

    def write(path: Path, height: int = 24, width: int = 20, value: int = 255) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        pixels = np.zeros((height, width), dtype=np.uint8)
        pixels[4:8, 5:10] = value
        Image.fromarray(pixels).save(path)
        return path

    return write


@pytest.fixture
def mvtec(tmp_path: Path, write_part: WritePart, write_mask: WritePart) -> Path:
    """A clean category in MVTec AD layout: 40 training images; 3 good, 2 cracked, 2 bent to test."""
    root = tmp_path / "Schraube klein Ø3"
    for number in range(40):
        write_part(root / "train" / "good" / f"{number:03d}.png")
    for number in range(3):
        write_part(root / "test" / "good" / f"{number:03d}.png")
    for defect in ("crack", "bent"):
        for number in range(2):
            write_part(root / "test" / defect / f"{number:03d}.png")
            write_mask(root / "ground_truth" / defect / f"{number:03d}_mask.png")
    return root


@pytest.fixture
def list_backwards(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Makes the file system list folders from z to a."""
    real_scandir = os.scandir

    class Backwards:
        """Entries that are iterated over as those of `os.scandir`."""

        def __init__(self, folder):
            with real_scandir(folder) as entries:
                ordered = sorted(entries, key=lambda entry: entry.name, reverse=True)
            self._left = iter(ordered)

        def __iter__(self):
            return self._left

        def __next__(self):
            return next(self._left)

        def __enter__(self):
            return self

        def __exit__(self, *error):
            return None

    return lambda: monkeypatch.setattr(os, "scandir", Backwards)
