import ast
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

import rcae

SOURCE = Path(rcae.__file__).parent

# Each floor may import from itself and from those below it; `docs/architecture.md` draws them.
FLOORS = [
    {"base"},
    {"data", "model", "drawing"},
    {"detector"},
    {"training", "evaluation"},
    {"many"},
    {"line", "study", "integrations"},
    {"service", "api"},
    {"cli"},
]
FLOOR_OF = {room: floor for floor, rooms in enumerate(FLOORS) for room in rooms}


LARGEST_FILE = 400
MOST_ENTRIES = 14


def modules():
    for path in SOURCE.rglob("*.py"):
        parts = path.relative_to(SOURCE).with_suffix("").parts
        yield ".".join(parts[:-1] if parts[-1] == "__init__" else parts), path


def imports():
    """Pairs of modules, within functions too: what a name comes from, be it a module or in one."""
    known = dict(modules())
    for module, path in known.items():
        for node in ast.walk(ast.parse(path.read_text())):
            names = []
            if isinstance(node, ast.ImportFrom) and node.module:
                names = [f"{node.module}.{alias.name}" for alias in node.names]
            elif isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            for name in names:
                inside = name.removeprefix("rcae.")
                if inside == name:
                    continue
                yield module, inside if inside in known else inside.rpartition(".")[0]


def test_every_room_has_a_floor_and_there_are_few_rooms():
    entries = {
        path.stem for path in SOURCE.iterdir() if path.name not in ("__pycache__", "py.typed")
    }
    rooms = entries - {"__init__", "__main__"}
    assert rooms == set(FLOOR_OF)
    assert len(rooms) <= MOST_ENTRIES


def test_dependencies_point_down():
    rooms = {(a.split(".")[0], b.split(".")[0]) for a, b in imports() if a and b}
    wrong = {
        (a, b)
        for a, b in rooms
        if a in FLOOR_OF and b in FLOOR_OF and a != b and FLOOR_OF[b] >= FLOOR_OF[a]
    }
    assert not wrong


def test_no_modules_import_each_other_in_a_circle():
    below = {}
    for a, b in imports():
        if a not in ("", "__main__") and b:
            below.setdefault(a, set()).add(b)
    try:
        tuple(TopologicalSorter(below).static_order())
    except CycleError as error:
        raise AssertionError(" -> ".join(error.args[1])) from error


@pytest.mark.parametrize(
    ("room", "allowed"),
    [
        ("model.paper", ("base", "model.paper")),
        ("model.evidence", ("base", "model.evidence")),
        ("model", ("base", "model")),
        ("data", ("base", "data")),
        ("drawing", ("base", "drawing")),
        ("training.painting", ("base", "training.painting")),
    ],
)
def test_these_rooms_know_nothing_but_themselves_and_what_all_stand_on(room, allowed):
    def lies_in(module, place):
        return module == place or module.startswith(f"{place}.")

    wrong = {
        (a, b)
        for a, b in imports()
        if lies_in(a, room) and not any(lies_in(b, place) for place in allowed)
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
    lengths = {module: len(path.read_text().splitlines()) for module, path in modules()}
    assert {name: length for name, length in lengths.items() if length > LARGEST_FILE} == {}
