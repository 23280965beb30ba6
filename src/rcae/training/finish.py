"""The end of a run: calibration on the held-out images, pictures, and the model file."""

import time
from dataclasses import asdict
from typing import Any

from rcae.base.machine import package_versions, peak_memory_mib
from rcae.base.progress import say, warn
from rcae.base.settings import Settings
from rcae.base.storage import write_text
from rcae.detector.calibration_images import to_csv
from rcae.detector.outliers import odd_training_images, outliers_among
from rcae.detector.run.checkpoint import Model, save_model
from rcae.detector.run.model_header import ModelHeader
from rcae.detector.run.run_folder import RunFolder
from rcae.detector.runners.torch_maps import maps
from rcae.model.system import RcaeSystem
from rcae.training.cross_fitting import fit_evidence
from rcae.training.good_features import looks_to_learn
from rcae.training.plug_ins import plug_ins_of
from rcae.training.samples import SAMPLE_COUNT, write_pictures
from rcae.training.state import TrainingState
from rcae.training.training_data import GoodParts


def finishing_seconds(system: RcaeSystem, parts: GoodParts) -> float:
    """Return the seconds that `finish` will take: measured on a few images, a tenth and five seconds added.

    Different images, since the first one of a new size takes longer.
    """
    maps(
        system, parts.working_view, [parts.working_view.camera_image(parts.calibration[0])]
    )  # warms up
    measured = parts.calibration[1:5]
    started_at = time.perf_counter()
    for path in measured:
        maps(system, parts.working_view, [parts.working_view.camera_image(path)])
    image_s = (time.perf_counter() - started_at) / len(measured)
    count = len(parts.calibration) + 2 * SAMPLE_COUNT
    count += looks_to_learn(system, len(parts.training), len(parts.calibration))
    return 1.1 * image_s * count + 5.0


def finish(
    folder: RunFolder,
    parts: GoodParts,
    settings: Settings,
    system: RcaeSystem,
    state: TrainingState,
) -> None:
    """Learn, calibrate, draw, record and save; the model file comes last: with it, the run is finished."""
    started_at = time.perf_counter()
    fitted = fit_evidence(system, parts, settings.seed, settings.calibration.false_alarm_rate)
    calibration = fitted.calibration
    provenance = {
        "category": parts.category.name,
        "training_images": len(parts.training),
        "data_sha256": parts.sha256,
        "versions": package_versions(),
    }
    if plug_ins := plug_ins_of(settings):
        provenance["plug_ins"] = plug_ins
    header = ModelHeader(settings, parts.working_view, calibration, provenance)
    model = Model(system, header)
    write_pictures(folder, model, parts, state.losses)
    record: dict[str, Any] = folder.read_record()
    record["timings_s"] = {
        "training": round(state.elapsed_s, 1),
        "finishing": round(time.perf_counter() - started_at, 1),
    }
    record["peak_memory_mib"] = peak_memory_mib()
    record["calibration"] = calibration.summary()
    if fitted.evidence:
        record["evidence"] = [asdict(one) for one in fitted.evidence]
    folder.write_record(record)
    write_text(folder.calibration, to_csv(fitted.held_out))
    save_model(folder.model, model)
    folder.state.unlink(missing_ok=True)
    if fitted.evidence:
        trusted = sorted(fitted.evidence, key=lambda one: -one.weight)
        say("evidence by weight: " + ", ".join(f"{one.name} {one.weight:.2f}" for one in trusted))
    say(f"threshold {calibration.threshold:.4f}. {calibration.promise}")
    for outlier in outliers_among(fitted.held_out, calibration):
        warn(outlier.advice)
    for advice in odd_training_images(fitted.cross_fitted, calibration):
        warn(advice)
    say(
        "They were taken with the training images: before going live, 'rcae calibrate' on another day's."
    )
    say(f"model: {folder.model}")
