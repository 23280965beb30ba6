import os
import shutil

import pytest


@pytest.fixture(scope="session")
def archive(parts, tmp_path_factory):
    """A folder of 43 images, one of them broken: five parts, the last one short."""
    folder = tmp_path_factory.mktemp("archive") / "new"
    folder.mkdir()
    paths = sorted(parts.glob("test/*/*.png"))
    for number in range(42):
        shutil.copy(paths[number % len(paths)], folder / f"{number:03d}.png")
    (folder / "017-broken.png").write_text("no image")
    return folder


@pytest.fixture(scope="session")
def cluster():
    """The address of a Ray cluster on this machine, with one node of two cores."""
    pytest.importorskip("ray")
    os.environ |= {"RAY_USAGE_STATS_ENABLED": "0", "RAY_worker_niceness": "0"}
    from ray.cluster_utils import Cluster

    node = {
        "num_cpus": 2,
        "include_dashboard": False,
        "object_store_memory": 80 * 2**20,
    }
    started = Cluster(initialize_head=True, head_node_args=node)
    yield started.address
    started.shutdown()
