"""Networks of anomalib, for `speed.py`, as `rcae benchmark` builds them; weights are random."""

from functools import partial
from typing import Any

import torch
from speed_cost import cost
from speed_worker import Contender, random_images
from torch import nn

from rcae.study import lite0
from rcae.study.anomalib_import import anomalib_models

anomalib_models()  # before what takes more seconds to import

from anomalib.models.image.draem.torch_model import DraemModel  # noqa: E402
from anomalib.models.image.efficient_ad.torch_model import EfficientAdModel  # noqa: E402
from anomalib.models.image.padim.torch_model import PadimModel  # noqa: E402
from anomalib.models.image.patchcore.torch_model import PatchcoreModel  # noqa: E402

from rcae.study.peers import CORESET_SIZE, LITE0_LAYERS  # noqa: E402

PADIM_FEATURES = 100
MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""Of ImageNet, which the features of PatchCore and PaDiM ask for."""


def build(case: dict[str, Any]) -> Contender:
    """A finished model on a batch of bytes, map and score out."""
    torch.set_num_threads(case["threads"])
    torch.manual_seed(0)
    model = _FromBytes(BUILDERS[case["model"]](case["size_px"])).eval().requires_grad_(False)
    images = torch.from_numpy(random_images(case))

    def run() -> object:
        with torch.inference_mode():
            return model(images)

    return Contender(run, lambda: cost(model, images[:1]))


class _FromBytes(nn.Module):
    """A network, and what comes before it: the same work as before ours."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network
        self.standardised = isinstance(network, PatchcoreModel | PadimModel)
        self.register_buffer("mean", torch.tensor(MEAN)[:, None, None])
        self.register_buffer("deviation", torch.tensor(DEVIATION)[:, None, None])

    def forward(self, images: torch.Tensor) -> object:
        """uint8 [batch, height, width, 3] to what the network gives."""
        pixels = images.permute(0, 3, 1, 2).float() / 255
        return self.network((pixels - self.mean) / self.deviation if self.standardised else pixels)


def _patchcore(patches: int, _: int) -> nn.Module:
    model = PatchcoreModel(layers=list(LITE0_LAYERS), backbone=lite0.NAME, pre_trained=False)
    model.memory_bank = torch.rand(patches, sum(model.feature_extractor.out_dims))
    return model


def _padim(size_px: int) -> nn.Module:
    """With a mean and a covariance for every position, as training leaves it."""
    model = PadimModel(
        backbone=lite0.NAME,
        layers=list(LITE0_LAYERS),
        pre_trained=False,
        n_features=PADIM_FEATURES,
    )
    positions = (size_px // 8) ** 2
    model.gaussian.mean = torch.rand(PADIM_FEATURES, positions)
    model.gaussian.inv_covariance = torch.eye(PADIM_FEATURES).repeat(positions, 1, 1)
    return model


BUILDERS = {
    "efficientad-s": lambda _: EfficientAdModel(teacher_out_channels=384),
    "patchcore": partial(_patchcore, CORESET_SIZE),
    "patchcore 12000": partial(_patchcore, 12_000),
    "padim": _padim,
    "draem": lambda _: DraemModel(),
}
