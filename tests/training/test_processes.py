import os
import socket
import subprocess
import sys
from collections import Counter
from contextlib import nullcontext

import pytest
import torch
from safetensors.torch import load_file
from torch import distributed, nn

import rcae
from rcae.base.errors import RcaeError, SettingsError, UsageError
from rcae.model.evidence.restoration import restoration_loss
from rcae.model.paper.losses import detection_loss
from rcae.training import trainer
from rcae.training.processes import ALONE, Processes, joined
from tests.conftest import TINY

ONE_OF_TWO_IS_ASKED_TO_STOP = """
import os, pathlib, signal
from rcae.cli import main as cli
from rcae.training import loop, trainer
from rcae.training import session

replace, step, steps = pathlib.Path.replace, loop.train_step, []

def listed(path, target):
    print(target.name, flush=True)
    return replace(path, target)

def signalled(*arguments):
    steps.append(1)
    if len(steps) == 4 and os.environ["RANK"] == "1":
        signal.raise_signal(signal.SIGTERM)
    return step(*arguments)

pathlib.Path.replace, loop.train_step, session.SAVE_EVERY_S = listed, signalled, 0.0
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
    monkeypatch.setattr(trainer, "joined", lambda: nullcontext(Processes(count=2)))
    with pytest.raises(SettingsError, match="batch_size = 3 cannot be divided among 2 processes"):
        rcae.train(parts, tmp_path / "run", set=[*TINY, "training.batch_size=3"])
    assert not (tmp_path / "run").exists()


def test_more_processes_than_gpus_are_refused(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setenv("WORLD_SIZE", "3")
    monkeypatch.setenv("LOCAL_RANK", "2")
    with pytest.raises(UsageError, match="--nproc-per-node 2"), joined():
        pass


def test_the_end_of_another_process_is_told_in_one_sentence(monkeypatch):
    def closed(_):
        raise RuntimeError("Connection closed by peer")

    monkeypatch.setattr(distributed, "all_reduce", closed)
    with pytest.raises(RcaeError, match="another process of this training has ended"):
        Processes(count=2).wait()


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


def test_without_torchrun_a_training_is_alone_and_exchanges_nothing(monkeypatch):
    monkeypatch.setattr(distributed, "all_reduce", lambda _: pytest.fail("nobody to exchange with"))
    with joined() as processes:
        assert processes == ALONE
    assert processes.is_first
    values = torch.rand(3)
    assert processes.average(values) is values
    assert [processes.any_says(said) for said in (True, False)] == [True, False]


def test_gradients_are_averaged_where_the_step_left_any(monkeypatch):
    network = nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 1))
    used = network[0]
    used.weight.grad, used.bias.grad = torch.ones(3, 2), torch.full((3,), 2.0)
    other = torch.arange(9.0)  # what the other process adds, as one row
    monkeypatch.setattr(distributed, "all_reduce", lambda total: total.add_(other))
    Processes(count=2).average_gradients(network)
    torch.testing.assert_close(used.weight.grad, (1 + torch.arange(6.0).view(3, 2)) / 2)
    torch.testing.assert_close(used.bias.grad, (2 + torch.arange(6.0, 9.0)) / 2)
    assert network[1].weight.grad is None
