"""Plug-ins that the settings of a run name."""

from rcae.base.settings import Settings
from rcae.model.paper.losses import DETECTION_LOSSES
from rcae.model.system import EVIDENCE
from rcae.training.painting.pseudo_anomalies import PAINTERS


def plug_ins_of(settings: Settings) -> dict[str, str]:
    """Return package and version of each plug-in that settings name, by its kind and name.

    Raises:
        PlugInError: a name is unknown, two packages have it, or its package fails.
    """
    found: dict[str, str] = {}
    for table, names in (
        (DETECTION_LOSSES, [settings.training.detection_loss]),
        (PAINTERS, settings.training.pseudo_anomalies),
        (EVIDENCE, settings.model.evidence),
    ):
        for name in names:
            table[name]  # fails here, before anything is trained
            if origin := table.origin(name):
                found[f"{table.kind} {name}"] = origin
    return found
