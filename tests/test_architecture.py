import ast
from pathlib import Path

import rcae

SOURCE = Path(rcae.__file__).parent

# Each floor may import from itself and from those below it; `docs/architecture.md` draws them.
FLOORS = [
    {"base"},
    {"data", "model", "drawing"},
    {"detector"},
    {"training", "evaluation"},
    {"line", "api", "study"},
    {"feedback"},
    {"service"},
    {"cli"},
]
FLOOR_OF = {room: floor for floor, rooms in enumerate(FLOORS) for room in rooms}


def imports():
    for path in SOURCE.rglob("*.py"):
        part = path.relative_to(SOURCE).with_suffix("").as_posix().replace("/", ".")
        for node in ast.walk(ast.parse(path.read_text())):
            names = []
            if isinstance(node, ast.ImportFrom) and node.module:
                names = [node.module]
            elif isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            for name in names:
                if name.startswith("rcae."):
                    yield part, name.removeprefix("rcae.")


def rooms_that_meet():
    return {(a.split(".")[0], b.split(".")[0]) for a, b in imports()}


def test_dependencies_point_one_way():
    wrong = {
        (a, b)
        for a, b in rooms_that_meet()
        if a in FLOOR_OF and b in FLOOR_OF and a != b and FLOOR_OF[b] >= FLOOR_OF[a]
    }
    assert not wrong


UNPICKLING = {"pickle", "cPickle", "_pickle", "dill", "cloudpickle", "joblib", "shelve", "marshal"}


def test_nothing_is_ever_unpickled():
    for path in SOURCE.rglob("*.py"):
        text = path.read_text()
        assert "torch.load(" not in text, path
        for node in ast.walk(ast.parse(text)):
            names = [alias.name for alias in getattr(node, "names", [])]
            names.append(getattr(node, "module", None) or "")
            assert not {name.split(".")[0] for name in names} & UNPICKLING, path


def test_no_module_needs_much_scrolling():
    lengths = {path.name: len(path.read_text().splitlines()) for path in SOURCE.rglob("*.py")}
    assert {name: length for name, length in lengths.items() if length > 400} == {}
