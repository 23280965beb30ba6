"""Ablation tables of the paper: their settings, and the paper's numbers on MVTec AD in percent."""

from collections.abc import Sequence
from dataclasses import dataclass

from rcae.base.errors import UsageError
from rcae.study.contenders import plain_autoencoder


@dataclass(frozen=True)
class Variant:
    """One row of a table; rows with the same label share one model across all tables."""

    label: str
    values: tuple[str, ...] = ()
    """Changes to the preset."""
    paper_image_auroc: float | None = None
    """Image AUROC of the paper; None if the paper gives no number, as far as known here."""
    paper_pixel_auroc: float | None = None
    is_plain: bool = False
    """True for the paper's baseline instead of RcAE."""

    def changes(self, preset: str, given: Sequence[str] = ()) -> tuple[str, ...]:
        """Return all changes to the preset: first the given ones, then those of this row."""
        plain = plain_autoencoder(preset, given) if self.is_plain else ()
        return (*given, *plain, *self.values)


@dataclass(frozen=True)
class Ablation:
    """One table; its rows are ordered from worst to best in the paper if `is_ranked`."""

    name: str
    question: str
    variants: tuple[Variant, ...]
    is_ranked: bool = True
    """True if the paper's numbers rise from row to row."""


FULL = Variant("full model", (), 98.9, 98.7)
PLAIN = Variant("plain autoencoder", (), 82.4, 90.8, is_plain=True)
_NO_CRD = "model.detection_network=false"
_NO_DPN = "model.detail_network=false"


def _sharing(share: bool, skip: bool, image_auroc: float | None) -> Variant:
    values = (
        f"model.share_weights={str(share).lower()}",
        f"model.skip_connections={str(skip).lower()}",
    )
    label = f"{'shared' if share else 'own'} weights, {'with' if skip else 'no'} skips"
    return Variant(label, values, image_auroc)


def _share(
    percent: int, image_auroc: float | None, pixel_auroc: float | None
) -> tuple[Variant, ...]:
    values = (f"training.data_share={percent / 100}",)
    return (
        Variant(f"plain autoencoder, {percent} % of the data", values, is_plain=True),
        Variant(f"full model, {percent} % of the data", values, image_auroc, pixel_auroc),
    )


ABLATIONS = (
    Ablation(
        "components",
        "What does each network add? With CRD it is the full model.",
        (
            PLAIN,
            Variant("+ RcAE", (_NO_DPN, _NO_CRD), 94.1, 95.8),
            Variant("+ DPN", (_NO_CRD,), 95.7, 96.6),
            FULL,
        ),
    ),
    Ablation(
        "depth",
        "How deep must the recursion go? The full model has N = 5.",
        (
            Variant("N = 1", ("model.recursion_depth=1",), 86.2, 87.4),
            Variant("N = 3", ("model.recursion_depth=3",), 96.3, 96.8),
            Variant("N = 6", ("model.recursion_depth=6",), 98.7, 98.4),
            FULL,
        ),
    ),
    Ablation(
        "sharing",
        "Do shared weights and skip connections help? The full model has both.",
        (
            _sharing(False, False, None),
            _sharing(False, True, 71.3),
            _sharing(True, False, None),
            FULL,
        ),
        is_ranked=False,
    ),
    Ablation(
        "data-share",
        "How many good images are needed?",
        (
            *_share(10, 84.1, 93.4),
            *_share(25, None, None),
            *_share(50, None, None),
            PLAIN,
            FULL,
        ),
        is_ranked=False,
    ),
    Ablation(
        "steps",
        "Which recursion steps must CRD see? The full model shows it all five.",
        (
            Variant("the last", ("model.detection_steps=[5]",), 95.7, 96.6),
            Variant("1, 3, 5", ("model.detection_steps=[1, 3, 5]",), 98.0, 97.1),
            FULL,
        ),
    ),
    Ablation(
        "detail",
        "What does DPN restore?",
        (FULL,),
        is_ranked=False,
    ),
)


def ablation(name: str) -> Ablation:
    """Return the ablation of that name.

    Raises:
        UsageError: the name is unknown; the message lists all names.
    """
    for known in ABLATIONS:
        if known.name == name:
            return known
    names = ", ".join(known.name for known in ABLATIONS)
    raise UsageError(f"ablation '{name}' is not known; choose one of {names}.")
