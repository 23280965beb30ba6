"""What a person sees of a detection: a short text, a picture, a plot, and the cell of a notebook."""

import base64
import io
import pickle
import re
import shutil
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

import rcae


@pytest.fixture(scope="module")
def detector(finished_run):
    return rcae.Detector.load(finished_run)


@pytest.fixture
def file(parts, tmp_path):
    return shutil.copy(parts / "test/scratch/000.png", tmp_path / "part.png")


def test_texts_are_short(detector, file, finished_run, parts):
    evaluation = rcae.evaluate(finished_run, parts, quiet=True)
    values = (detector, detector.predict(file), evaluation, evaluation.outcomes[0])
    assert all(len(repr(value)) < 400 for value in values)
    assert repr(detector.predict(file)).startswith("Detection(defective, anomaly_score=")


def test_an_overlay_is_that_of_the_files_of_predict(detector, file, finished_run, tmp_path):
    rcae.predict(finished_run, file, tmp_path / "out", overlays=True, quiet=True)
    with Image.open(next((tmp_path / "out/overlays").iterdir())) as written:
        expected = np.asarray(written)
    drawn = detector.predict(file).overlay()
    np.testing.assert_array_equal(np.asarray(drawn), expected)
    array = np.asarray(Image.open(file))
    np.testing.assert_array_equal(np.asarray(detector.predict(array).overlay()), expected)


def test_a_notebook_shows_image_and_overlay_in_little_space(detector, file):
    html = detector.predict(file)._repr_html_()
    assert len(html) < 100_000
    assert "Defective" in html
    found = re.findall(r'src="data:image/jpeg;base64,([^"]+)" alt="(\w+)"', html)
    assert [name for _, name in found] == ["image", "overlay"]
    with Image.open(io.BytesIO(base64.b64decode(found[1][0]))) as picture:
        assert picture.size == (40, 40)


def test_a_file_that_is_gone_or_another_one_leaves_the_figures(detector, file):
    from pathlib import Path

    detection = detector.predict(file)
    Image.new("RGB", (50, 40)).save(file)
    with pytest.raises(rcae.RcaeError, match=r"50x40 px now, and was 40x40 px"):
        detection.overlay()
    Path(file).unlink()
    html = detection._repr_html_()
    assert "no picture: " in html
    assert "<img" not in html


def test_a_model_without_a_heat_scale_leaves_the_figures(detector, file):
    detection = detector.predict(file)
    html = replace(detection, threshold=detection.typical_value)._repr_html_()
    assert "no picture: " in html


def test_a_detection_goes_to_another_process(detector, file):
    for image in (file, np.asarray(Image.open(file))):
        sent = detector.predict(image)
        received = pickle.loads(pickle.dumps(sent))
        np.testing.assert_array_equal(received.image, sent.image)


def test_a_plot_is_titled_by_the_decision(detector, file):
    from matplotlib.figure import Figure

    detection = detector.predict(file)
    axes = detection.plot(Figure().add_subplot())
    assert axes.get_title().startswith("defective: score ")
    np.testing.assert_array_equal(axes.images[0].get_array(), np.asarray(detection.overlay()))


def test_an_evaluation_shows_its_figures_and_scores(finished_run, parts):
    evaluation = rcae.evaluate(finished_run, parts, quiet=True)
    html = evaluation._repr_html_()
    assert f'<td style="text-align: right">{evaluation.metrics.image_auroc:.3f}</td>' in html
    assert html.count("data:image/png;base64,") == 1
    assert "false alarms: " in html
