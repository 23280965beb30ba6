"""TensorBoard: losses, settings, figures and pictures of a training, in the folder of its run."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import numpy as np
from PIL import Image

from rcae.base.extras import require
from rcae.detector.run.run_folder import RunFolder
from rcae.integrations.tracking import figures_of

require("tensorboard", purpose="--log tensorboard")

from torch.utils.tensorboard import SummaryWriter  # noqa: E402  refused above in one sentence


class _Events:
    def __init__(self, ending: ExitStack) -> None:
        self._ending = ending
        self._writer: SummaryWriter

    def begun(self, folder: RunFolder) -> None:
        """See `Observer.begun`; before it, the run folder must stay empty."""
        self._writer = self._ending.enter_context(SummaryWriter(str(folder.path / "tensorboard")))
        settings = folder.settings.read_text(encoding="utf-8")
        self._writer.add_text(
            "settings", "".join(f"    {line}\n" for line in settings.splitlines())
        )

    def step(self, stage: str, step: int, loss: float) -> None:
        """See `Observer.step`."""
        self._writer.add_scalar(f"loss/{stage}", loss, step)

    def finished(self, folder: RunFolder) -> None:
        """See `Observer.finished`."""
        for name, value in figures_of(folder).items():
            self._writer.add_scalar(name.replace(".", "/", 1), value, 0)
        for file in sorted(folder.samples.glob("*.png")):
            with Image.open(file) as picture:
                pixels = np.asarray(picture.convert("RGB"))
            self._writer.add_image(f"recursion/{file.stem}", pixels, 0, dataformats="HWC")
        self._writer.add_text("model", str(folder.model))


@contextmanager
def opened() -> Iterator[_Events]:
    """Write events to `tensorboard/` in the run folder; `tensorboard --logdir` shows many runs."""
    with ExitStack() as ending:
        yield _Events(ending)
