"""A detector says once a run what is unusual about an image, marks its row, and refuses far sizes."""

import csv
import json
import shutil

import numpy as np
import pytest
from PIL import Image

from rcae.base.errors import ImageError
from rcae.data.images import read_image
from rcae.detector.detector import Detector
from rcae.detector.predictions import predict_files
from rcae.drawing.pictures import to_image
from rcae.evaluation.evaluate import evaluate_detector
from rcae.evaluation.evaluate_report import scores_csv


@pytest.fixture
def resized(parts, tmp_path):
    def save(factor, name="part.png"):
        picture = to_image(read_image(parts / "test/good/000.png"))
        size = [round(side * factor) for side in picture.size]
        picture.resize(size, Image.Resampling.BILINEAR).save(tmp_path / name)
        return tmp_path / name

    return save


def test_an_unusual_size_is_said_once_and_marked_in_every_row(
    finished_run, resized, tmp_path, said
):
    paths = [resized(1.25, f"{number}.png") for number in range(3)] + [resized(1, "usual.png")]
    predict_files(Detector.load(finished_run), paths, tmp_path / "out")
    assert said().count("scores of different sizes compare badly") == 1
    lines = (tmp_path / "out" / "predictions.jsonl").read_text().splitlines()
    remarks = [json.loads(line)["remark"] for line in lines]
    assert [remark is None for remark in remarks] == [False, False, False, True]
    with (tmp_path / "out" / "predictions.csv").open() as table:
        assert [row["remark"] for row in csv.DictReader(table)] == [r or "" for r in remarks]


@pytest.mark.parametrize("factor", [0.5, 2])
def test_a_size_far_from_training_costs_its_row_alone(finished_run, resized, tmp_path, factor):
    paths = [resized(factor, "far.png"), resized(1, "usual.png")]
    counts = predict_files(Detector.load(finished_run), paths, tmp_path / "out")
    assert (counts.unreadable, counts.good + counts.defective) == (1, 1)


def test_the_size_limit_is_the_callers(finished_run, resized):
    path = resized(2)
    with pytest.raises(ImageError, match="--size-limit"):
        Detector.load(finished_run).predict(path)
    assert Detector.load(finished_run, size_limit=2).predict(path).remark


def test_deep_images_of_one_scene_score_as_those_of_8_bits(finished_run, parts):
    detector = Detector.load(finished_run)
    flat = (255 * read_image(parts / "test/scratch/000.png")[..., 0]).round().astype(np.uint16)
    expected = detector.predict(flat.astype(np.uint8))
    for bits in (10, 12, 16):
        deep = np.round(flat * ((2**bits - 1) / 255)).astype(np.uint16)
        seen = detector.predict(deep)
        assert seen.anomaly_score == pytest.approx(expected.anomaly_score, rel=0.02)
        assert f"white is assumed to be {2**bits - 1}" in seen.remark


def test_an_evaluation_marks_images_of_another_size(finished_run, parts, tmp_path):
    data = shutil.copytree(parts, tmp_path / "parts")
    odd = data / "test" / "good" / "001.png"
    to_image(read_image(odd)).resize((50, 50)).save(odd)
    evaluation = evaluate_detector(Detector.load(finished_run), data)
    rows = csv.DictReader(scores_csv(evaluation).splitlines())
    assert {row["path"] for row in rows if "is 50x50 px" in row["remark"]} == {"test/good/001.png"}
