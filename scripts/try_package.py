"""Build wheel and source distribution, and use the wheel where nothing else of this project is.

    python scripts/try_package.py -o dist                              the Python that runs this script
    python scripts/try_package.py -o dist --python python3.12 --python python3.13

The script fails if the wheel of the source distribution differs from that of the working tree, if an index
would refuse either file, or if the installed wheel cannot be used. Each Python gets a new environment
outside the repository. The wheel comes without extras first, and the refusal of `rcae train` names the
command that adds PyTorch. That command runs as printed. A tiny model then trains and inspects.
"""

import argparse
import hashlib
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from PIL import Image

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from tests.conftest import TINY, draw_part  # noqa: E402

IMAGE_COUNT = 16


def main() -> None:
    """Read the arguments, build, compare and try."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("-o", "--out", type=Path, required=True, help="Folder of the two files.")
    parser.add_argument("--python", action="append", help="A Python to try; repeatable.")
    arguments = parser.parse_args()
    wheel = build(arguments.out.resolve())
    for python in arguments.python or [sys.executable]:
        with TemporaryDirectory() as folder:
            use(wheel, python, Path(folder))


def build(out: Path) -> Path:
    """Build both files, compare the two ways to the wheel, and return the wheel."""
    shutil.rmtree(ROOT / "build" / "lib", ignore_errors=True)  # modules of earlier states
    with TemporaryDirectory() as folder:
        run(sys.executable, "-m", "build", "--wheel", "-o", folder, str(ROOT))
        (from_tree,) = Path(folder).glob("*.whl")
        run(sys.executable, "-m", "build", "-o", str(out), str(ROOT))
        wheel = out / from_tree.name
        sdist = out / f"{from_tree.name.split('-py3')[0]}.tar.gz"
        if contents(wheel) != contents(from_tree):
            sys.exit(f"{sdist} builds another wheel than the working tree.")
    run(sys.executable, "-m", "twine", "check", "--strict", str(wheel), str(sdist))
    return wheel


def contents(wheel: Path) -> dict[str, str]:
    """Return the SHA-256 of every file of a wheel."""
    with zipfile.ZipFile(wheel) as archive:
        return {name: hashlib.sha256(archive.read(name)).hexdigest() for name in archive.namelist()}


def use(wheel: Path, python: str, folder: Path) -> None:
    """Install the wheel into a new environment of `python`, train and inspect."""
    run(python, "-m", "venv", str(folder / "env"))
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("PYTHON")},
        "PATH": f"{folder / 'env' / 'bin'}{os.pathsep}{os.environ['PATH']}",
        "PIP_CONSTRAINT": str(ROOT / "constraints.txt"),
        "PIP_QUIET": "1",
    }

    def there(*words: str, shell: str | None = None, code: int = 0) -> str:
        done = subprocess.run(  # noqa: S603
            ["sh", "-c", shell] if shell else words,
            cwd=folder,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != code:
            sys.exit(f"{shell or ' '.join(words)} exited with {done.returncode}:\n{done.stderr}")
        return done.stdout + done.stderr

    there("pip", "install", str(wheel))
    version = there("rcae", "--version").strip()
    random = np.random.default_rng(0)
    (folder / "parts").mkdir()
    for number in range(IMAGE_COUNT):
        Image.fromarray(draw_part(random)).save(folder / "parts" / f"{number}.png")
    there("rcae", "doctor", "parts")
    refusal = there("rcae", "train", "parts", "-o", "run", code=2).strip()
    there(shell=refusal.rpartition("run: ")[2])
    there(
        "rcae", "train", "parts", "-o", "run", *(word for each in TINY for word in ("--set", each))
    )
    there("rcae", "predict", "run", "parts", "-o", "results")
    rows = (folder / "results" / "predictions.jsonl").read_text().splitlines()
    if len(rows) != IMAGE_COUNT:
        sys.exit(f"{len(rows)} of {IMAGE_COUNT} images were inspected.")
    print(f"{there('python', '--version').strip()}: {version} trains and inspects; {refusal}")


def run(*words: str) -> None:
    """Run a command, and stop if it fails."""
    subprocess.run(words, check=True)  # noqa: S603


if __name__ == "__main__":
    main()
