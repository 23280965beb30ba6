from rcae.study.contenders import CONTENDERS
from rcae.study.request import CellRequest


def test_a_memory_of_good_patches_is_a_contender_that_finds_the_defects_of_a_small_category(
    parts, tmp_path
):
    cell = CellRequest("memory", str(parts), "memory", seed=0, budget_s=None)
    predictor = CONTENDERS["memory"].train(cell, tmp_path)
    scores = {
        kind: [predictor.predict(file).anomaly_score for file in (parts / "test" / kind).iterdir()]
        for kind in ("good", "scratch")
    }
    assert min(scores["scratch"]) > max(scores["good"])
    assert len(predictor.calibration.scores) == 8
