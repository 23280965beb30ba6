"""Evidence that is fitted on given images, for tests of what comes after it."""

import numpy as np
import torch

from rcae.model.evidence.evidence import FOLDS
from rcae.model.evidence.fusion import peaks_of
from rcae.model.system import RcaeSystem


def fit_on(system: RcaeSystem, *good: torch.Tensor) -> None:
    """Fit every kind, and the units, if the system has them, on batches of images."""
    with torch.no_grad():
        for number, batch in enumerate(good):
            sight = system.sight(batch)
            for kind in system.kinds:
                kind.learn(kind.features(sight), number % FOLDS)
        for kind in system.kinds:
            kind.settle()
            kind.forget()
        if system.fusion is not None:
            system.fusion.fit(np.concatenate([peaks_of(system.evidence(one)) for one in good]))
