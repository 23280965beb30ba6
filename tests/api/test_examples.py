"""The examples in docstrings run as written, apart from the time that training takes."""

import doctest
import importlib
import inspect
import logging

import pytest

import rcae
from tests.conftest import TINY

MODULES = (
    "rcae",
    "rcae.api.anomaly_detector",
    "rcae.api.inspecting",
    "rcae.api.learning",
    "rcae.api.trusting",
    "rcae.base.duration",
    "rcae.detector.detection",
    "rcae.detector.detector",
    "rcae.api.feedback",
)


@pytest.mark.parametrize("module", MODULES)
def test_the_examples_of_docstrings_run_as_written(module, new_workplace):
    printed = []
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS)
    for example in doctest.DocTestFinder().find(importlib.import_module(module), module):
        if not example.examples:
            continue
        new_workplace()
        for line in example.examples:
            line.source = line.source.replace('budget="10m"', f"set={TINY}")
        example.globs = {"rcae": rcae, **example.globs}
        runner.run(example, out=printed.append)
    assert runner.tries
    assert not runner.failures, "".join(printed)


def test_every_function_of_the_package_names_its_options_and_has_an_example():
    places = [(place, name) for place in (rcae, rcae.feedback) for name in place.__all__]
    functions = [one for one in (getattr(*each) for each in places) if inspect.isfunction(one)]
    for function in functions:
        for name in inspect.signature(function).parameters:
            assert f"\n    {name}: " in inspect.getdoc(function), (function, name)
    lacking = {function.__name__ for function in functions if ">>>" not in function.__doc__}
    assert lacking == {"merge", "import_reviews"}  # they continue the work of other commands
    assert len(functions) == 18


def test_a_quiet_function_leaves_the_log_of_a_program_alone(workplace):
    logger = logging.getLogger("rcae")
    before = (logger.level, list(logger.handlers))
    rcae.doctor("parts", quiet=True)
    assert (logger.level, list(logger.handlers)) == before
