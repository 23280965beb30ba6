import os
import socket
import subprocess
import sys
from collections import Counter

import pytest
import torch
from safetensors.torch import load_file
from torch import distributed, nn

import rcae
from rcae.base.errors import RcaeError, SettingsError, UsageError
from rcae.base.settings import load_settings
from rcae.data.view.working_view import WorkingView
from rcae.model.evidence.restoration import restoration_loss
from rcae.model.paper.losses import detection_loss
from rcae.model.system import RcaeSystem
from rcae.training import processes
from rcae.training.stages import draw_batch
from rcae.training.training_set import TrainingSet
from rcae.training.whole_batch import WholeBatchNorm, normalise_over_processes
from tests.conftest import TINY

ONE_OF_TWO_IS_ASKED_TO_STOP = """
import os, pathlib, signal
from rcae.cli import main as cli
from rcae.training import loop, trainer
from rcae.training import session as sitting

replace, step, steps = pathlib.Path.replace, loop.train_step, []

def listed(path, target):
    print(target.name, flush=True)
    return replace(path, target)

def signalled(*arguments):
    steps.append(1)
    if len(steps) == 4 and os.environ["RANK"] == "1":
        signal.raise_signal(signal.SIGTERM)
    return step(*arguments)

pathlib.Path.replace, loop.train_step, sitting.SAVE_EVERY_S = listed, signalled, 0.0
cli.main()
"""


def run_two(program, *arguments):
    """Two processes that know of each other by the variables that torchrun sets.

    Returns:
        Of each: exit code, standard output, standard error.
    """
    with socket.socket() as free:
        free.bind(("localhost", 0))
        place = {"MASTER_ADDR": "localhost", "MASTER_PORT": str(free.getsockname()[1])}
    started = [
        subprocess.Popen(
            [sys.executable, "-c", program, *arguments],
            env={**os.environ, **place, "WORLD_SIZE": "2", "RANK": str(n), "LOCAL_RANK": str(n)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for n in range(2)
    ]
    printed = [process.communicate(timeout=300) for process in started]
    return [(process.returncode, *texts) for process, texts in zip(started, printed, strict=True)]


def torchrun_two(*arguments):
    """What `torchrun --nproc-per-node 2 -m rcae ...` prints on standard error."""
    torchrun = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2")
    done = subprocess.run(
        [sys.executable, *torchrun, "-m", "rcae", *arguments],
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    return done.stderr


def losses_of(run):
    lines = (run / "losses.csv").read_text().splitlines()[1:]
    return [float(line.rpartition(",")[2]) for line in lines]


# One test, since each pair of processes takes seconds to start.
def test_two_processes_stopped_by_a_signal_to_one_and_resumed_learn_and_write_what_one_does(
    parts, finished_run, tmp_path
):
    run = tmp_path / "run"
    options = [word for value in TINY for word in ("--set", value)]
    first, second = run_two(ONE_OF_TWO_IS_ASKED_TO_STOP, "train", parts, "-o", run, *options)
    for code, _, error in (first, second):
        assert code == 130, error
        assert "--resume" in error
        assert "Traceback" not in error
    assert len(losses_of(run)) == 4
    assert "stage 1/3" in first[2]
    assert len(second[2].splitlines()) == 1  # that it was stopped
    assert Counter(first[1].split())["settings.toml"] == 1
    assert second[1] == ""  # it wrote no file

    shown = torchrun_two("train", parts, "-o", run, "--resume")
    assert shown.count("resuming stage 2 at step 1") == 1
    assert shown.count("model: ") == 1

    assert losses_of(run) == pytest.approx(losses_of(finished_run), rel=1e-3)
    ours, theirs = (load_file(path / "model.safetensors") for path in (run, finished_run))
    assert ours.keys() == theirs.keys()
    for name in ours:
        torch.testing.assert_close(ours[name], theirs[name], rtol=1e-2, atol=1e-3, msg=name)
    assert {path.name for path in run.iterdir()} == {path.name for path in finished_run.iterdir()}


def test_a_batch_that_the_processes_cannot_divide_is_refused(parts, tmp_path, monkeypatch):
    monkeypatch.setattr(processes, "count", lambda: 2)
    with pytest.raises(SettingsError, match="batch_size = 3 cannot be divided among 2 processes"):
        rcae.train(parts, tmp_path / "run", values=[*TINY, "training.batch_size=3"])
    assert not (tmp_path / "run").exists()


def test_the_shares_of_two_processes_are_the_batch_of_one(parts, monkeypatch):
    images = TrainingSet(sorted((parts / "train" / "good").iterdir()), WorkingView(1.0))
    settings = load_settings("quick", values=[*TINY, "training.batch_size=6"])
    whole = draw_batch(images, settings, 2, 7, paint=True)
    monkeypatch.setattr(distributed, "is_initialized", lambda: True)
    monkeypatch.setattr(distributed, "get_world_size", lambda: 2)
    for rank in range(2):
        monkeypatch.setattr(distributed, "get_rank", lambda: rank)  # noqa: B023
        share = draw_batch(images, settings, 2, 7, paint=True)
        assert torch.equal(share.image, whole.image[rank::2])
        assert torch.equal(share.mask, whole.mask[rank::2])
        assert share.depth == whole.depth


def test_more_processes_than_gpus_are_refused(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setenv("WORLD_SIZE", "3")
    monkeypatch.setenv("LOCAL_RANK", "2")
    with pytest.raises(UsageError, match="--nproc-per-node 2"), processes.joined():
        pass


def test_the_end_of_another_process_is_told_in_one_sentence(monkeypatch):
    def closed(_):
        raise RuntimeError("Connection closed by peer")

    monkeypatch.setattr(processes, "count", lambda: 2)
    monkeypatch.setattr(distributed, "all_reduce", closed)
    with pytest.raises(RcaeError, match="another process of this training has ended"):
        processes.wait()


def _loss_of_map(own, averaged=lambda total: total):
    torch.manual_seed(0)
    drawn, mask = torch.rand(4, 8, 8), (torch.rand(4, 8, 8) > 0.9).float()
    mask[:2] = 0.0  # shares of very different weight
    return detection_loss(drawn[own], mask[own], "squared_error", averaged=averaged)


def _loss_of_restored(own, averaged=lambda total: total):
    torch.manual_seed(0)
    (restored, good), mask = torch.rand(2, 4, 3, 8, 8), (torch.rand(4, 8, 8) > 0.9).float()
    mask[:2] = 0.0
    return restoration_loss(restored[own], good[own], mask[own], averaged=averaged)


@pytest.mark.parametrize("loss", [_loss_of_map, _loss_of_restored])
def test_the_mean_of_the_losses_of_equal_shares_is_the_loss_of_the_whole_batch(loss):
    shares, weights = (slice(0, 2), slice(2, 4)), []
    for own in shares:
        loss(own, lambda weight: weights.append(weight) or weight)
    mean = sum(weights) / 2
    total = sum(loss(own, lambda _: mean) for own in shares)
    torch.testing.assert_close(total / 2, loss(slice(None)))


@pytest.mark.parametrize("dimensions", [2, 3])
def test_normalising_over_one_process_is_batch_normalisation(dimensions):
    settings = load_settings("quick", values=[*TINY, f"model.detection_dimensions={dimensions}"])
    usual, ours = RcaeSystem(settings.model).double(), RcaeSystem(settings.model)
    normalise_over_processes(ours)
    ours.double().load_state_dict(usual.state_dict())
    assert sum(isinstance(module, WholeBatchNorm) for module in ours.modules()) == 5
    assert not any(isinstance(m, nn.BatchNorm2d) for m in ours.modules())
    image = torch.rand(3, 3, 32, 32, dtype=torch.float64)
    for system in (usual, ours):
        system.train().detect(image).square().sum().backward()
    for name, parameter in usual.named_parameters():
        if parameter.grad is not None:
            torch.testing.assert_close(ours.get_parameter(name).grad, parameter.grad)
    torch.testing.assert_close(ours.state_dict(), usual.state_dict())
    torch.testing.assert_close(ours.eval().detect(image), usual.eval().detect(image))
