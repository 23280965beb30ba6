"""Facts that tell a person what a loaded model is."""

from rcae.base.settings import ModelSettings
from rcae.base.text import printable
from rcae.detector.detector import Detector


def facts_of(detector: Detector) -> dict[str, str]:
    """Return the facts by their names, in reading order."""
    header, usual = detector.header, detector.usual
    provenance, calibration = header.provenance, detector.calibration
    versions = provenance.get("versions", {})
    facts = {
        "Category": printable(provenance["category"]),
        "Training images": str(provenance["training_images"]),
        "Data SHA-256": provenance["data_sha256"],
        "Model SHA-256": detector.runner.weights_sha256,
        "Executed SHA-256": detector.runner.executed_sha256,
    }
    if usual is not None:
        facts["Image sizes"] = (
            f"{usual.sizes}; others by more than {detector.size_limit:g} are refused"
        )
        if usual.white_level is not None:
            facts["White level"] = str(usual.white_level)
    facts |= header.training_facts
    facts["Evidence"] = ", ".join(_evidence(header.settings.model))
    source = "the end of training" if calibration.is_of_training_session else "'rcae calibrate'"
    facts["Threshold"] = f"{calibration.threshold:.6g}, set by {source}"
    facts["Promise"] = calibration.promise
    facts["Versions"] = ", ".join(f"{name} {version}" for name, version in versions.items())
    return facts


def _evidence(model: ModelSettings) -> list[str]:
    added = {
        "own features": model.feature_distance,
        "memory of good patches": model.patch_memory,
        "recursion in features": model.recursion_distance,
    }
    built_in = (name for name, is_used in added.items() if is_used)
    return ["map of the networks", *built_in, *model.evidence]
