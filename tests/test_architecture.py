import ast
from pathlib import Path

import rcae

SOURCE = Path(rcae.__file__).parent

# Each layer may import from its own and from those before it.
LAYERS = [
    {"errors"},
    {
        "storage",
        "settings",
        "gradient",
        "part_frame",
        "part_pose",
        "progress",
        "names",
        "csv_table",
        "cli_types",
        "tiles",
        "extras",
        "interruption",
    },
    {"signing_keys"},
    {"run_folder", "calibration", "martingale", "predictions_file"},
    {"model", "losses", "data", "metrics", "pictures"},
    {"charts", "model_header", "detection", "drift"},
    {"calibration_images", "record"},
    {"checkpoint", "inference", "known_images", "signature"},
    {"report", "runners"},
    {"detector"},
    {"line"},
    {"outputs", "sources"},
    {"training", "evaluation", "prediction"},
    {"evaluation_output", "export", "versions", "comparison"},
    {"recalibration", "feedback", "comparison_output", "drift_output", "history"},
    {"feedback_proposal", "feedback_application", "feedback_import"},
    {"api", "demo", "benchmark", "card"},
    {"service"},
    {"cli_line"},
    {
        "cli_benchmark",
        "cli_calibration",
        "cli_card",
        "cli_compare",
        "cli_export",
        "cli_feedback",
        "cli_history",
        "cli_serve",
        "cli_watch",
        "cli_monitor",
        "cli_line",
        "cli_outputs",
    },
    {"cli"},
    {"__init__", "__main__"},
]
SIBLINGS = ("model", "losses", "data", "metrics", "pictures")


def layer_of(part):
    return next(index for index, layer in enumerate(LAYERS) if part in layer)


def imports():
    for path in SOURCE.rglob("*.py"):
        part = path.relative_to(SOURCE).parts[0].removesuffix(".py")
        for node in ast.walk(ast.parse(path.read_text())):
            names = []
            if isinstance(node, ast.ImportFrom) and node.module:
                names = [node.module]
            elif isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            for name in names:
                if name.startswith("rcae."):
                    yield part, name.split(".")[1]


def test_dependencies_point_one_way():
    wrong = {(a, b) for a, b in imports() if a != b and layer_of(b) > layer_of(a)}
    assert not wrong


def test_model_losses_data_and_metrics_know_nothing_of_each_other():
    wrong = {(a, b) for a, b in imports() if a != b and a in SIBLINGS and b in SIBLINGS}
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
    assert {name: length for name, length in lengths.items() if length > 300} == {}
