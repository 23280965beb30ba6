import csv
import json
import shutil

import pytest

from rcae.detector.run.run_folder import RunFolder

UNDEFINED = dict.fromkeys(
    ("pixel_auroc", "pixel_ap", "pixel_f1_max", "aupro", "aupro_5"),
    "the defective test images have no masks",
)


@pytest.fixture
def run(finished_run, tmp_path):
    """A finished run of one's own, not evaluated."""
    return shutil.copytree(finished_run, tmp_path / "run")


def write_evaluation(run, scores, **changes):
    """What 'rcae evaluate' leaves, made up.

    Args:
        run: the folder.
        scores: by defect type, moved so that the threshold is at 1.
        changes: to the metrics.
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
    ranking = {"image_auroc": 0.75, "image_ap": 0.625, "pixel_auroc": None, "pixel_ap": None}
    metrics = {
        "category": "parts",
        **ranking,
        "aupro": None,
        "image_count": len(rows),
        "threshold": threshold,
        "milliseconds_median": 12.4,
        "milliseconds_p95": 45.6,
        "defect_types": {kind: {**ranking, "aupro": None} for kind in scores if kind != "good"},
        "undefined": UNDEFINED,
    }
    text = json.dumps({**metrics, **changes}, ensure_ascii=False)
    (folder / "metrics.json").write_text(text, encoding="utf-8")
