import importlib.util
from pathlib import Path

ROOT = Path(__file__).parents[1]


def test_the_reference_is_what_the_commands_say():
    spec = importlib.util.spec_from_file_location(
        "cli_reference", ROOT / "docs" / "cli_reference.py"
    )
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    written = (ROOT / "docs" / "cli.md").read_text(encoding="utf-8")
    assert written == module.reference(), "run python docs/cli_reference.py"
