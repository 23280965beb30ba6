import re
import sys
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import kstest

from benchmarks.development_defects import development_cells
from rcae.base.errors import MissingExtraError, StorageError, UsageError
from rcae.base.extras import install_command
from rcae.data.good_images import hash_file
from rcae.data.layouts.category import open_category
from rcae.study import demo
from rcae.training.request import Request
from tests.conftest import TINY
from tests.evaluation.made_up import made_up_result, made_up_type


@pytest.fixture(scope="module")
def cells(tmp_path_factory):
    data = tmp_path_factory.mktemp("demo") / "solar-cells"
    demo.lay_out_solar_cells(data)
    return data


def test_the_solar_cells_are_a_category_without_masks(cells):
    category = open_category(cells)
    assert category.layout == "mvtec"
    assert len(category.train_good) == 508
    kinds = [sample.defect_type for sample in category.test]
    assert {kind: kinds.count(kind) for kind in set(kinds)} == demo.TEST_COUNTS
    assert all(not sample.mask_paths for sample in category.test)


def test_good_test_cells_come_from_all_modules_as_the_training_cells_do(cells):
    """The package lists the cells module by module; the first and last tenth are as likely as others."""
    listed = [Path(name).name for name in demo.solar_cells("mono")["good"]]
    tested = {path.name for path in (cells / "test" / "good").iterdir()}
    places = np.array([name in tested for name in listed])
    tenths = [part.sum() for part in np.array_split(places, 10)]
    assert min(tenths) >= 2
    assert kstest(np.flatnonzero(places) / len(places), "uniform").pvalue > 0.05


def test_a_good_cell_is_tested_exactly_when_its_hash_is_among_the_lowest(cells):
    hashes = {
        folder: {hash_file(path) for path in (cells / folder / "good").iterdir()}
        for folder in ("train", "test")
    }
    assert len(hashes["test"]) == 80
    assert max(hashes["test"]) < min(hashes["train"])


def test_no_cell_that_judges_a_change_tests_the_demo(cells):
    shown = {path.name for path in cells.glob("test/*/*")}
    for crystal in ("mono", "poly"):
        chosen = development_cells(crystal)
        assert {folder: len(names) for folder, names in chosen.items() if "test" in folder} == {
            "test/good": 100,
            "test/defective": 100,
        }
        names = [Path(name).name for of_folder in chosen.values() for name in of_folder]
        assert len(names) == len(set(names))
        assert not shown & set(names)


def test_no_cell_is_both_trained_on_and_tested(cells):
    category = open_category(cells)
    trained = {hash_file(sample.path) for sample in category.train_good}
    assert not trained & {hash_file(sample.path) for sample in category.test}


def test_every_cell_is_monocrystalline_and_labelled_as_laid_out(cells):
    labels = (demo._package() / "data" / "labels.csv").read_text().splitlines()
    expected = {}
    for line in labels:
        name, probability, crystal = line.split()
        if crystal == "mono":
            expected[name.removeprefix("images/")] = float(probability)
    for sample in open_category(cells).samples:
        probability = expected[sample.path.name]
        assert {"good": 0, "defective": 1}.get(sample.defect_type, 2 / 3) == pytest.approx(
            probability
        )


def test_the_first_screen_speaks_of_clear_defects_alone():
    clear = made_up_type(60, 45, image_auroc=0.9126, image_ap=0.93)
    vague = made_up_type(40, 7, image_auroc=0.41)
    result = made_up_result(
        image_auroc=0.7,
        good_count=80,
        defective_count=100,
        false_alarm_rate_seen=0.05,
        false_alarm_rate_promised=0.05,
        defect_types={"defective": clear, "probably_defective": vague},
    )
    assert demo.first_screen(result).splitlines() == [
        "found 45 of 60 clearly defective cells, with false alarms on 4 of 80 good ones "
        "(promised: at most 5.0%)",
        "image AUROC 0.913, image AP 0.930",
        "The report also has 40 cells that are only probably defective.",
    ]


def test_the_demo_prints_its_first_screen_and_leaves_every_type_in_the_report(
    tmp_path, monkeypatch, said
):
    counts = {"train/good": 20, "test/good": 3, "test/defective": 3, "test/probably_defective": 2}
    few = {folder: names[: counts[folder]] for folder, names in demo.demo_cells().items()}
    monkeypatch.setattr(demo, "demo_cells", lambda: few)
    monkeypatch.setattr(demo, "Request", lambda **_: Request(values=TINY))
    report = demo.run_demo(tmp_path)
    printed = said()
    assert "of 3 clearly defective cells, with false alarms on" in printed
    assert "probably_defective" not in printed
    assert "probably_defective" in report.read_text(encoding="utf-8")


def test_cells_of_another_split_are_refused_before_anything_is_trained(tmp_path, monkeypatch):
    monkeypatch.setattr(demo, "train", lambda *_, **__: pytest.fail("trained"))
    listed = demo.solar_cells("mono")["good"]
    demo.copy_cells(
        {"train/good": listed[:-80], "test/good": listed[-80:]}, tmp_path / "solar-cells"
    )
    with pytest.raises(UsageError, match="another version of rcae, with other test images"):
        demo.run_demo(tmp_path)


def test_a_disk_that_fills_up_leaves_no_half_category(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(StorageError, match="No space left"):
        demo.lay_out_solar_cells(tmp_path / "cells")
    assert not (tmp_path / "cells").exists()


def test_without_the_images_the_demo_names_the_extra(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "elpv_dataset", None)
    with pytest.raises(MissingExtraError, match=re.escape(install_command("demo"))):
        demo.lay_out_solar_cells(tmp_path / "cells")
