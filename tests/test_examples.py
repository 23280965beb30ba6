"""The Kubernetes examples are what the container and the command line take."""

import re
import shlex
from pathlib import Path

import pytest
import yaml

from rcae.cli.main import cli

ROOT = Path(__file__).parents[1]
FILES = sorted((ROOT / "examples" / "kubernetes").glob("*.yaml"))
OBJECTS = [each for file in FILES for each in yaml.safe_load_all(file.read_text())]
PODS = {
    each["kind"]: each["spec"]["template"]["spec"] for each in OBJECTS if "template" in each["spec"]
}


def words(container):
    """Words after `rcae`, as the entry point or a shell gives them."""
    if "command" not in container:
        return container["args"]
    (text,) = container["args"]
    return shlex.split(text.replace("$((JOB_COMPLETION_INDEX + 1))", "1").removeprefix("exec rcae"))


def test_there_is_a_deployment_a_service_and_an_indexed_job():
    assert sorted(each["kind"] for each in OBJECTS) == ["Deployment", "Job", "Service"]


@pytest.mark.parametrize("pod", PODS.values(), ids=PODS)
def test_a_pod_runs_a_command_that_exists_without_root_on_the_volumes_it_names(pod):
    (container,) = pod["containers"]
    name, *rest = words(container)
    context = cli.commands[name].make_context(name, rest)
    assert context.params["run" if name == "predict" else "runs"]
    user = re.search(r"^USER (\d+)", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    assert pod["securityContext"]["runAsUser"] == int(user[1])
    assert pod["securityContext"]["runAsNonRoot"]
    assert {mount["name"] for mount in container["volumeMounts"]} == {
        volume["name"] for volume in pod["volumes"]
    }


def test_every_shard_has_its_index():
    (job,) = [each for each in OBJECTS if each["kind"] == "Job"]
    (container,) = PODS["Job"]["containers"]
    count = cli.commands["predict"].make_context("predict", words(container)).params["shard"][1]
    assert job["spec"]["completions"] == count
    assert job["spec"]["completionMode"] == "Indexed"


def test_the_selector_of_the_service_is_that_of_its_pods():
    objects = {each["kind"]: each["spec"] for each in OBJECTS}
    labels = objects["Deployment"]["template"]["metadata"]["labels"]
    assert objects["Service"]["selector"] == labels
    assert objects["Deployment"]["selector"]["matchLabels"] == labels
