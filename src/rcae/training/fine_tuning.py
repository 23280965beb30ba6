"""CRD, trained on for a while with good images that it took for defective."""

import copy
from collections.abc import Sequence
from pathlib import Path

from rcae.base.errors import UsageError
from rcae.base.progress import StageProgress
from rcae.base.settings import Settings
from rcae.detector.run.checkpoint import Model
from rcae.model.system import RcaeSystem
from rcae.training import plan
from rcae.training.good_features import GoodFeatures
from rcae.training.loop import make_optimizer, run_stage
from rcae.training.processes import ALONE
from rcae.training.stages import build_stages
from rcae.training.training_set import TrainingSet

STEPS_SHARE = 0.1
"""Steps, as a share of those that stage 3 had, unless given (our choice)."""
LEARNING_RATE_SHARE = 0.1
"""Learning rate, as a share of that of stage 3: what was learnt is refined, not replaced (our choice)."""
CONFIRMED_SHARE = 0.25
"""Share of the images drawn that are confirmed ones, about, however few there are (our choice)."""


def fine_tune(
    model: Model, training: Sequence[Path], confirmed: Sequence[Path], steps: int | None
) -> RcaeSystem:
    """Go on with stage 3; RcAE and DPN stay as they are, and so does `model`.

    Args:
        model: the finished model.
        training: files of the images it was trained on.
        confirmed: files of good images to learn as well, at least one.
        steps: updates to make; None makes a tenth of those of stage 3.

    Returns:
        A new system on the CPU, whose distances are fitted anew, ready to predict.

    Raises:
        UsageError: the model has no CRD.
        ImageError: an image cannot be decoded.
        TrainingError: the loss is no longer a number.
    """
    system = copy.deepcopy(model.system).to(ALONE.device)
    if system.detection is None:
        raise UsageError("this model has no CRD (model.detection_network = false) to fine-tune.")
    if steps is None:
        trained_steps = model.header.settings.training.detection.steps or 1
        steps = max(1, round(STEPS_SHARE * trained_steps))
    settings = _settings(model.header.settings, steps)
    images = TrainingSet(_mixed(training, confirmed), model.header.working_view)
    stage = build_stages(system, images, settings)[-1]
    batch_size = settings.training.batch_size
    progress = StageProgress(
        "fine-tuning CRD", first_step=0, steps=steps, batch_size=batch_size, later_steps=0
    )
    run_stage(
        stage,
        make_optimizer(stage.module, settings),
        settings,
        first_step=0,
        steps=steps,
        after_step=lambda _, loss: progress.step(loss),
    )
    progress.close()
    once = TrainingSet([*training, *confirmed], model.header.working_view, memory_limit_mib=0)
    features = GoodFeatures(system, once, settings.seed)
    features.learn(held_out=[])
    features.forget()
    return system.requires_grad_(False).eval().cpu()


def _settings(settings: Settings, steps: int) -> Settings:
    """Return the settings of the extra steps: a lower rate, another seed, and the plainest way to compute.

    The seed draws other windows than before. The steps are few, and perhaps on another machine than the
    one trained on (our choice).
    """
    longer = plan.with_steps(settings, {"detection": steps})
    rate = LEARNING_RATE_SHARE * settings.training.learning_rate
    changes = {
        "learning_rate": rate,
        "plain_first": False,  # what is plain is learnt
        "precision": "fp32",
        "compiled": False,
    }
    training = longer.training.model_copy(update=changes)
    return longer.model_copy(update={"training": training, "seed": settings.seed + 1})


def _mixed(training: Sequence[Path], confirmed: Sequence[Path]) -> list[Path]:
    wanted = CONFIRMED_SHARE / (1 - CONFIRMED_SHARE) * len(training)
    return [*training, *list(confirmed) * max(1, round(wanted / len(confirmed)))]
