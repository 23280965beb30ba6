"""Evidence that is fitted on given images, for tests of what comes after it."""

import numpy as np
import torch

from rcae.model.evidence.evidence import FOLDS
from rcae.model.evidence.fusion import peaks_of
from rcae.model.evidence.thumbnail_distance import SIDE_PX
from rcae.model.system import RcaeSystem


def fit_on(system: RcaeSystem, *good: torch.Tensor) -> None:
    """Fit every kind, the units and the thumbnail, if the system has them, on batches of images."""
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
        if system.thumbnail is not None:
            system.thumbnail.fit(torch.rand(5, 1, 1, 1).expand(-1, 3, SIDE_PX, SIDE_PX))
