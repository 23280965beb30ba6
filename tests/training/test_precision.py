import shutil
from dataclasses import replace
from functools import partial
from types import SimpleNamespace

import pytest
import torch
from safetensors.torch import load_file

import rcae
from rcae.base.errors import InterruptedTrainingError, RcaeError, SettingsError
from rcae.base.settings import load_settings
from rcae.data.view.working_view import WorkingView
from rcae.detector.run.checkpoint import load_model
from rcae.model.paper.losses import DETECTION_LOSSES, reconstruction_loss
from rcae.model.system import RcaeSystem
from rcae.training import plan, whole_batch
from rcae.training import stages as stages_module
from rcae.training.drawn import Batch
from rcae.training.fine_tuning import fine_tune
from rcae.training.loop import make_optimizer, train_step
from rcae.training.precision import require_runnable
from rcae.training.session import Session
from rcae.training.stages import build_stages
from rcae.training.training_set import TrainingSet
from rcae.training.whole_batch import normalise_over_processes
from tests.conftest import TINY, call


def as_one_of_several(system):
    """Normalised as if a batch lay in several processes, of which this one is the only one."""
    normalise_over_processes(system, 1)


COMPILED = "training.compiled=true"
BF16 = "training.precision=bf16"


class Graphs:
    """A backend of `torch.compile` that calls no compiler: how many graphs, and how often they ran."""

    def __init__(self):
        self.count = self.runs = 0

    def __call__(self, graph, _):
        self.count += 1

        def run(*inputs):
            self.runs += 1
            return graph(*inputs)

        return run


@pytest.fixture
def graphs(monkeypatch):
    torch.compiler.reset()
    counted = Graphs()
    monkeypatch.setattr(torch, "compile", partial(torch.compile, backend=counted))
    return counted


@pytest.fixture
def images(parts):
    return TrainingSet(sorted((parts / "train" / "good").iterdir()), WorkingView(1.0))


def build(images, *values, change=lambda system: None):
    settings = load_settings("quick", values=[*TINY, *values])
    torch.manual_seed(0)
    system = RcaeSystem(settings.model)
    change(system)
    return build_stages(system.requires_grad_(False).eval(), images, settings), settings


def loss_of(stage, step=0):
    """The loss of a step, after its backward pass."""
    stage.module.requires_grad_(True).train()
    loss = stage.loss(stage.draw(step))
    loss.backward()
    return loss


def losses_of(run):
    lines = (run / "losses.csv").read_text().splitlines()[1:]
    return [float(line.rpartition(",")[2]) for line in lines]


@pytest.mark.parametrize("index", [0, 1, 2])
@pytest.mark.parametrize("dimensions", [2, 3])
@pytest.mark.parametrize("change", [lambda _: None, as_one_of_several])
def test_the_loss_in_bf16_is_that_in_fp32_but_for_its_rounding(images, index, dimensions, change):
    values = [f"model.detection_dimensions={dimensions}"]
    exact, rounded = (
        build(images, *values, *more, change=change)[0][index] for more in ([], [BF16])
    )
    expected, loss = loss_of(exact), loss_of(rounded)
    assert loss.item() == pytest.approx(expected.item(), rel=0.005)
    assert loss.item() != expected.item()


@pytest.mark.parametrize("index", [0, 1, 2])
def test_in_bf16_losses_weights_gradients_and_moments_are_float32(images, index, monkeypatch):
    def checked(loss):
        def check(drawn, *others, **options):
            assert drawn.dtype == torch.float32
            assert not torch.is_autocast_enabled("cpu")
            return loss(drawn, *others, **options)

        return check

    monkeypatch.setattr(stages_module, "reconstruction_loss", checked(reconstruction_loss))
    for name, loss in DETECTION_LOSSES.built_in.items():
        monkeypatch.setitem(DETECTION_LOSSES.built_in, name, checked(loss))
    stages, settings = build(images, BF16)
    stage = stages[index]
    assert loss_of(stage).dtype == torch.float32
    optimizer = make_optimizer(stage.module, settings)
    train_step(stage, stage.draw(1), optimizer, settings)
    for parameter in stage.module.parameters():
        assert parameter.dtype == torch.float32
        assert parameter.grad is None or parameter.grad.dtype == torch.float32
    for tensor in (
        *stage.module.buffers(),
        *optimizer.state[next(stage.module.parameters())].values(),
    ):
        assert tensor.dtype in (torch.float32, torch.int64)


def test_a_map_that_is_sure_and_wrong_is_corrected_in_bf16_as_in_fp32(images):
    def sure(system):
        torch.nn.init.constant_(system.detection.network.head.bias, 10.0)

    exact, rounded = (build(images, *more, change=sure)[0][2] for more in ([], [BF16]))
    assert loss_of(rounded).item() == pytest.approx(loss_of(exact).item(), rel=0.01)
    ours, theirs = (stage.module[0].network.head.bias.grad for stage in (rounded, exact))
    torch.testing.assert_close(ours, theirs, rtol=0.05, atol=0)


def test_a_gpu_without_bf16_is_refused(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda: False)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda _: "an old one")
    training = load_settings("quick", values=[BF16]).training
    with pytest.raises(SettingsError, match=r"an old one does not; set training\.precision=fp32"):
        require_runnable(training, torch.device("cuda"))
    require_runnable(training, torch.device("cpu"))


def test_a_compiled_run_learns_what_an_eager_one_does_and_goes_on_as_one(
    parts, finished_run, tmp_path, monkeypatch, graphs
):
    run, compiled_before_training = tmp_path / "run", []
    measure = plan.seconds_per_step

    def measured(*arguments, **options):
        seconds = measure(*arguments, **options)
        compiled_before_training.append(graphs.count)
        return seconds

    def stopped_in_stage_3(session, done, loss):
        after_step(session, done, loss)
        if session._state.stage_index == 2:
            session._asked_to_stop = lambda: True

    after_step = Session.after_step
    with monkeypatch.context() as patch:
        patch.setattr(plan, "seconds_per_step", measured)
        patch.setattr(Session, "after_step", stopped_in_stage_3)
        with pytest.raises(InterruptedTrainingError):
            rcae.train(parts, run, set=[*TINY, COMPILED])
    # A trial, depths 1 and 2 in stages 1 and 2, and stage 3: all before training, none in it.
    assert compiled_before_training == [graphs.count] == [1 + 2 + 2 + 1]
    settings = run / "settings.toml"
    settings.write_text(settings.read_text().replace("compiled = true", "compiled = false"))
    runs = graphs.runs
    rcae.train(parts, run, resume=True)
    assert graphs.runs == runs

    assert losses_of(run) == pytest.approx(losses_of(finished_run), rel=1e-4)
    ours, theirs = (load_file(path / "model.safetensors") for path in (run, finished_run))
    assert ours.keys() == theirs.keys()
    for name in ours:
        torch.testing.assert_close(ours[name], theirs[name], rtol=1e-2, atol=1e-3, msg=name)


def test_every_step_of_all_eight_depths_is_compiled_and_each_depth_once(images, graphs):
    values = ["model.recursion_depth=8", "model.fold=1", "training.crop_px=256", COMPILED]
    image, depths = torch.rand(1, 3, 256, 256), (*range(1, 9), 8, 1)
    for _ in range(2):  # the networks measured and thrown away, and those trained
        stage = build(images, *values)[0][0]
        stage.module.requires_grad_(True).train()
        for depth in depths:
            stage.loss(Batch(image, image[:, 0], image, depth)).backward()
    assert graphs.count == 8
    assert graphs.runs == 2 * len(depths)


def test_a_training_starts_without_the_graphs_of_an_earlier_one(graphs):
    doubled = torch.compile(lambda values: 2 * values)
    doubled(torch.ones(2))
    before = graphs.count
    require_runnable(load_settings("quick", values=[COMPILED]).training, torch.device("cpu"))
    doubled(torch.ones(2))
    assert graphs.count == before + 2  # the trial, and the same one again


def test_compiling_does_not_count_as_the_time_of_a_step(images, monkeypatch, graphs):
    clock, seen = SimpleNamespace(now=0.0), set()

    def step(stage, batch, *_):
        clock.now += 1.0 if (stage.name, batch.depth) in seen else 1000.0
        seen.add((stage.name, batch.depth))

    stages, settings = build(images, "model.recursion_depth=4", COMPILED)
    monkeypatch.setattr(plan, "train_step", step)
    monkeypatch.setattr(plan, "time", SimpleNamespace(perf_counter=lambda: clock.now))
    seconds = plan.seconds_per_step(stages, settings, measuring_s=20.0)
    assert seconds == {"reconstruction": 1.0, "detail": 1.0, "detection": 1.0}


def test_the_end_of_another_process_is_told_from_within_a_compiled_network(
    images, monkeypatch, graphs
):
    def gone(*_):
        raise RcaeError("another process of this training has ended")

    stages, _ = build(images, COMPILED, change=as_one_of_several)
    assert loss_of(stages[2]).isfinite()
    assert graphs.count == 1  # the exchange does not tear it apart
    monkeypatch.setattr(whole_batch, "average_over", gone)
    with pytest.raises(RcaeError, match="another process of this training has ended"):
        loss_of(stages[2])


def test_networks_that_pytorch_cannot_compile_are_refused_with_a_way_out(images, monkeypatch):
    def refuses(graph, _):
        raise ValueError("not comparable")

    torch.compiler.reset()
    monkeypatch.setattr(torch, "compile", partial(torch.compile, backend=refuses))
    stages, _ = build(images, COMPILED)
    with pytest.raises(SettingsError, match=r"not comparable.*set training\.compiled=false"):
        loss_of(stages[2])


def test_fine_tuning_is_the_same_however_the_model_was_trained(parts, finished_run, graphs):
    model = load_model(finished_run / "model.safetensors")
    changes = {"compiled": True, "precision": "bf16"}
    training = model.header.settings.training.model_copy(update=changes)
    settings = model.header.settings.model_copy(update={"training": training})
    other = replace(model, header=replace(model.header, settings=settings))
    good = sorted((parts / "train" / "good").iterdir())
    ours, theirs = (fine_tune(each, good, good[:1], 1).state_dict() for each in (other, model))
    assert graphs.count == 0
    for name, tensor in ours.items():
        assert torch.equal(tensor, theirs[name]), name


# One test, since PyTorch takes half a minute to import what compiles.
@pytest.mark.filterwarnings("ignore:`torch.jit.script:DeprecationWarning")  # torch of its own code
def test_without_a_compiler_training_is_refused_and_with_one_it_trains_as_the_eager_network_does(
    parts, images, tmp_path, monkeypatch, capsys
):
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path))
    with monkeypatch.context() as patch:
        patch.setenv("PATH", str(tmp_path / "no programs"))
        patch.delenv("CXX", raising=False)
        options = [word for value in (*TINY, COMPILED) for word in ("--set", value)]
        code, _, error = call(monkeypatch, capsys, "train", parts, "-o", tmp_path / "run", *options)
    assert code == 2
    assert "compiler found" in error
    assert "set training.compiled=false" in error
    assert not (tmp_path / "run").exists()

    if shutil.which("g++") is None:
        pytest.skip("all but this was tested: needs a C++ compiler")
    from torch._inductor import config  # seconds, which the other tests need not spend

    smallest = ["model.carried_channels=3", "model.reconstruction_widths=[2, 2]"]
    trained = []
    for more in ([], [COMPILED]):
        stages, settings = build(images, *smallest, *more)
        stage = stages[0]
        stage.module.requires_grad_(True).train()
        optimizer = make_optimizer(stage.module, settings)
        batches = [replace(stage.draw(step), depth=1) for step in range(3)]
        with config.patch("cpp.vec_isa_ok", True):  # what it would find out by compiling
            trained.append([train_step(stage, batch, optimizer, settings) for batch in batches])
    assert trained[1] == pytest.approx(trained[0], rel=1e-5)
