import csv
import shutil

import pytest

from rcae.base.storage import write_text
from rcae.detector.run.run_folder import RunFolder
from tests.evaluation.made_up import made_up_result, made_up_type


@pytest.fixture
def run(finished_run, tmp_path):
    """A finished run of one's own, not evaluated."""
    return shutil.copytree(finished_run, tmp_path / "run")


def write_evaluation(run, scores, **changes):
    """What 'rcae evaluate' leaves, made up.

    Args:
        run: the folder.
        scores: by defect type, moved so that the threshold is at 1.
        changes: to the result of `made_up_result`.
    """
    threshold = RunFolder(run).read_record()["calibration"]["threshold"]
    folder = run / "evaluation"
    folder.mkdir()
    rows = [(kind, score) for kind, given in scores.items() for score in given]
    with (folder / "scores.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["path", "defect_type", "anomaly_score", "threshold", "decision", "ms"])
        for number, (kind, score) in enumerate(rows):
            decision = "defective" if score >= 1 else "good"
            writer.writerow(
                [f"{number}.png", kind, score - 1 + threshold, threshold, decision, 3.25]
            )
    values = {"image_count": len(rows), "threshold": threshold, **changes}
    values.setdefault("defect_types", {kind: made_up_type() for kind in scores if kind != "good"})
    write_text(folder / "metrics.json", made_up_result(**values).to_json())
