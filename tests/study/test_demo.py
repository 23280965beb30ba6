import sys

import pytest

from rcae.base.errors import MissingExtraError, StorageError
from rcae.data.good_images import hash_file
from rcae.data.layouts.category import open_category
from rcae.study import demo


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
    assert all(sample.mask_path is None for sample in category.test)


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


def test_a_disk_that_fills_up_leaves_no_half_category(tmp_path, monkeypatch):
    from pathlib import Path

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(StorageError, match="No space left"):
        demo.lay_out_solar_cells(tmp_path / "cells")
    assert not (tmp_path / "cells").exists()


def test_without_the_images_the_demo_names_the_extra(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "elpv_dataset", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'rcae\[demo\]'"):
        demo.lay_out_solar_cells(tmp_path / "cells")
