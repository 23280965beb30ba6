"""How the networks run forward in training: in float32 or bfloat16, compiled or not.

Weights, losses, gradients and Adam's moments are float32 under all settings. Everything that follows training
runs as if these settings did not exist.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from rcae.base.errors import SettingsError
from rcae.base.progress import say
from rcae.base.settings import TrainingSettings

Forward = Callable[..., Tensor]
"""A method of `RcaeSystem`: takes images [batch, 3, height, width], and for some a depth."""


def as_in_training(forward: Forward, training: TrainingSettings) -> Forward:
    """`forward` as the settings want it to run.

    The method is compiled, not its networks: their weights keep their names. Each depth gets a graph of its
    own, for the one shape that all batches of a run have (our choice). Nothing is then left to be decided in
    each step. PyTorch keeps eight graphs of one function, as many as there are depths at most.

    Args:
        forward: takes images [batch, 3, height, width], and for some a depth.
        training: `precision` and `compiled` count.

    Returns:
        The same function, whose results are float32. A compiled one raises SettingsError where PyTorch
        cannot compile it.
    """
    run = _compiled(forward) if training.compiled else forward
    is_bf16 = training.precision == "bf16"

    def run_forward(image: Tensor, *others: int) -> Tensor:
        with torch.autocast(image.device.type, torch.bfloat16, enabled=is_bf16):
            result = run(image, *others)
        return result.float()

    return run_forward


def require_runnable(training: TrainingSettings, device: torch.device) -> None:
    """Refuse settings that this machine cannot train with, before anything is trained.

    Raises:
        SettingsError: the GPU has no bfloat16, or PyTorch cannot compile anything here.
    """
    on_gpu = device.type == "cuda"
    if training.precision == "bf16" and on_gpu and not torch.cuda.is_bf16_supported():
        raise SettingsError(
            f"training.precision = 'bf16' needs a GPU that computes in bfloat16, and "
            f"{torch.cuda.get_device_name(device)} does not; set training.precision=fp32."
        )
    if training.compiled:
        _require_compiler(device)
        say("training.compiled: compiling the networks before their first steps takes minutes")


def _compiled(forward: Forward) -> Forward:
    from torch._dynamo.exc import TorchDynamoException  # seconds to import

    compiled = torch.compile(forward, dynamic=False)

    def run(*arguments: object) -> Tensor:
        try:
            return compiled(*arguments)
        except TorchDynamoException as error:
            raise _cannot_compile(error) from error

    return run


def _require_compiler(device: torch.device) -> None:
    try:
        torch.compiler.reset()  # graphs of an earlier training would count among those kept
        torch.compile(torch.sin)(torch.zeros(8, device=device))
    except RuntimeError as error:
        raise _cannot_compile(error) from error


def _cannot_compile(error: RuntimeError) -> SettingsError:
    reason = " ".join(str(error).partition("\n\n")[0].split())
    return SettingsError(
        f"training.compiled = true, but PyTorch {torch.__version__} cannot compile on this machine "
        f"({reason}); install what it misses (on a CPU a C++ compiler like g++), use another PyTorch, or "
        "set training.compiled=false."
    )
