"""Charts: the figures hold the numbers given, and the files are stable PNGs."""

import io
import subprocess
import sys
from datetime import date
from functools import partial

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from matplotlib.figure import Figure
from PIL import Image

from rcae.drawing import charts

ROC = (np.array([0, 0.1, 1]), np.array([0, 0.8, 1]), 0.8512)
DRIFT = {
    "scores": [0.1, 0.9, 0.3],
    "rejected": [False, True, False],
    "calibration_scores": [0.0, 0.1, 0.2, 0.3, 0.4],
    "threshold": 0.5,
    "evidence": {"shift": [0.0, 0.1, 0.2], "more rejections": [0.0, 2.5, 2.4]},
    "alarm_evidence": 2.3,
    "since": 2,
}


@pytest.fixture
def figure(monkeypatch):
    """The figure that a chart function was about to save."""
    figures: list[Figure] = []
    monkeypatch.setattr(charts, "_png", figures.append)

    def draw(chart, *arguments) -> Figure:
        chart(*arguments)
        figures[-1].draw_without_rendering()
        return figures[-1]

    return draw


def texts(axes):
    return " ".join(text.get_text() for text in [*axes.texts, axes.title, axes._left_title])


@pytest.mark.parametrize(
    ("chart", "arguments"),
    [
        (charts.loss_chart, ({"one": [1, 0.5, 0.2], "two": [3.0]},)),
        (charts.roc_chart, (*ROC, (0.1, 0.8))),
        (charts.score_histogram, (np.array([0.1, 0.2]), np.array([0.9]), 0.5)),
        (charts.days_chart, ([date(2026, 11, 1)], [9], [0.1], [(0.0, 0.5)])),
        (charts.ablation_chart, (["a", "b"], {"AUROC": ([90, None], [80, 85], [1.0, None])})),
    ],
)
def test_a_chart_is_the_same_light_png_file_every_time(chart, arguments):
    first, second = chart(*arguments), chart(*arguments)
    assert first == second
    picture = Image.open(io.BytesIO(first))
    assert picture.format == "PNG"
    assert picture.convert("RGB").getpixel((0, 0)) == (255, 255, 255)
    assert np.asarray(picture.convert("L")).min() < 128


def test_charts_share_no_state_with_the_users_own_plots():
    program = (
        "import sys; from rcae.drawing import charts; charts.loss_chart({'stage': [1.0, 0.5]});"
        "sys.exit('matplotlib.pyplot' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


def test_losses_have_one_panel_per_stage_on_a_log_scale_with_every_raw_value(figure):
    drawn = figure(charts.loss_chart, {"autoencoder": [4.0, 2.0, 1.0], "detector": [0.5, 0.25]})
    first, second = drawn.axes
    assert "autoencoder" in texts(first)
    assert "detector" in texts(second)
    assert first.get_yscale() == second.get_yscale() == "log"
    np.testing.assert_array_equal(first.lines[0].get_data(), [[1, 2, 3], [4, 2, 1]])
    np.testing.assert_array_equal(second.lines[0].get_data(), [[1, 2], [0.5, 0.25]])


def test_the_smoothed_loss_averages_its_neighbourhood_and_does_not_lag(figure):
    noise = np.random.default_rng(0).normal(size=3000)
    loss = np.linspace(30, 10, 3000) + noise
    smoothed = figure(charts.loss_chart, {"stage": loss.tolist()}).axes[0].lines[1].get_ydata()
    middle = slice(100, -100)
    assert np.abs(smoothed - np.linspace(30, 10, 3000))[middle].max() < 0.5
    assert abs((smoothed - np.linspace(30, 10, 3000))[middle].mean()) < 0.1


def test_a_steady_loss_is_smoothed_to_itself_up_to_both_ends(figure):
    axes = figure(charts.loss_chart, {"stage": [0.25] * 300}).axes[0]
    np.testing.assert_allclose(axes.lines[1].get_ydata(), 0.25)


@pytest.mark.parametrize("losses", [[], [0.0, 0.0]])
def test_a_stage_with_nothing_for_a_log_scale_says_so(figure, losses):
    drawn = figure(charts.loss_chart, {"autoencoder": [1.0], "detector": losses})
    assert "no loss above 0" in texts(drawn.axes[1])


def test_losses_that_reach_zero_can_be_drawn(figure):
    axes = figure(charts.loss_chart, {"stage": [1.0, 0.0, 0.0]}).axes[0]
    np.testing.assert_array_equal(axes.lines[0].get_ydata(), [1, 0, 0])


def test_the_roc_curve_goes_through_the_points_given_and_marks_the_operating_point(figure):
    axes = figure(charts.roc_chart, *ROC, (0.1, 0.8)).axes[0]
    curves = [np.asarray(line.get_data()) for line in axes.lines]
    assert any(np.array_equal(curve, ROC[:2]) for curve in curves)
    assert any(np.array_equal(curve, [[0.1], [0.8]]) for curve in curves)
    assert "0.851" in texts(axes)
    assert "80.0 % found" in texts(axes)
    assert "10.0 % false alarms" in texts(axes)


@pytest.mark.parametrize("point", [(0, 0), (0, 1), (1, 0), (1, 1), (0.5, 0.3)])
def test_the_label_of_the_operating_point_never_leaves_the_chart(figure, point):
    drawn = figure(charts.roc_chart, *ROC, point)
    (label,) = (text for text in drawn.axes[0].texts if "threshold" in text.get_text())
    box, area = label.get_window_extent(), drawn.axes[0].bbox
    assert area.x0 <= box.x0
    assert box.x1 <= area.x1
    assert area.y0 <= box.y0
    assert box.y1 <= area.y1


def test_the_histogram_labels_the_threshold_and_counts_both_classes(figure):
    axes = figure(charts.score_histogram, np.array([0.1, 0.2]), np.array([0.9]), 0.345).axes[0]
    labels = [text.get_text() for text in axes.get_legend().get_texts()]
    assert labels == ["good (2)", "defective (1)", "threshold 0.345"]
    assert any(set(line.get_xdata()) == {0.345} for line in axes.lines)


def test_earlier_thresholds_are_lines_too(figure):
    scores = (np.array([0.1, 0.2]), np.array([0.9]))
    drawn = figure(partial(charts.score_histogram, earlier_thresholds=[0.5, 0.7]), *scores, 0.345)
    axes = drawn.axes[0]
    labels = [text.get_text() for text in axes.get_legend().get_texts()]
    assert labels[2:] == ["threshold 0.345", "before: 0.5", "before: 0.7"]
    assert [line.get_xdata()[0] for line in axes.lines] == [0.345, 0.5, 0.7]


def test_days_without_images_are_gaps_and_intervals_are_drawn(figure):
    days = [date(2026, 11, 1), date(2026, 11, 2), date(2026, 11, 9)]
    intervals = [(0.0, 0.3), (0.1, 0.6), (0.0, 1.0)]
    above, below = figure(charts.days_chart, days, [10, 20, 1], [0.1, 0.3, 1.0], intervals).axes
    assert [bar.get_height() for bar in above.patches] == [10, 20, 1]
    middles = [bar.get_x() + bar.get_width() / 2 for bar in above.patches]
    np.testing.assert_allclose(np.diff(middles), [1, 7])
    (bars,) = below.containers
    ends = [segment[:, 1].tolist() for segment in bars.lines[2][0].get_segments()]
    np.testing.assert_allclose(ends, intervals)
    ticks = [tick.get_text() for tick in below.get_xticklabels()]
    assert "11-01" in ticks
    assert len(ticks) == len(set(ticks))


@pytest.mark.parametrize(
    ("good", "defective", "threshold"),
    [([], [], 0.5), ([], [0.2], 0.5), ([0.5, 0.5], [0.5], 0.5), ([0], [0], 0), ([1e9], [], 1e-9)],
)
def test_a_histogram_of_few_or_equal_scores_counts_them_all(figure, good, defective, threshold):
    arrays = np.array(good, np.float32), np.array(defective, np.float32)
    axes = figure(charts.score_histogram, *arrays, threshold).axes[0]
    totals = [patch.get_data().values.sum() for patch in axes.patches]
    assert totals == [len(good), len(good), len(defective), len(defective)]


@given(
    st.lists(st.floats(-100, 100, width=32), min_size=1, max_size=30),
    st.one_of(st.floats(-100, 100), st.none()),
)
@example([0.0], 5e-324)
def test_no_bar_mixes_scores_below_the_threshold_with_scores_at_or_above_it(scores, threshold):
    scores = np.array(scores, np.float32)
    threshold = float(scores[0]) if threshold is None else threshold
    edges = charts._edges_around(threshold, scores)
    counts, _ = np.histogram(scores.astype(np.float64), edges)
    assert counts.sum() == len(scores)
    assert len(edges) < 100
    below = counts[edges[:-1] < threshold].sum()
    assert below == (scores.astype(np.float64) < threshold).sum()


def test_an_ablation_chart_holds_the_papers_numbers_and_ours(figure):
    panels = {
        "image": ([90.0, None], [80.0, 85.0], [2.0, None]),
        "pixel": ([95.0, 96.0], [None, 97.0], [None, None]),
    }
    image, pixel = figure(charts.ablation_chart, ["a", "b"], panels).axes
    np.testing.assert_array_equal(image.lines[0].get_xdata(), [90, np.nan])
    np.testing.assert_array_equal(image.lines[1].get_xdata(), [80, 85])
    np.testing.assert_array_equal(pixel.lines[1].get_xdata(), [np.nan, 97])
    assert [label.get_text() for label in image.get_yticklabels()] == ["a", "b"]


def test_the_drift_chart_is_the_same_light_png_file_every_time():
    first, second = charts.drift_chart(**DRIFT), charts.drift_chart(**DRIFT)
    assert first == second
    assert Image.open(io.BytesIO(first)).convert("RGB").getpixel((0, 0)) == (255, 255, 255)


def test_the_drift_chart_holds_every_score_both_kinds_of_evidence_and_the_date(figure):
    scores, evidence = figure(lambda: charts.drift_chart(**DRIFT)).axes
    lines = {line.get_label(): line.get_data() for line in scores.lines}
    np.testing.assert_array_equal(lines["accepted (2)"], [[1, 3], [0.1, 0.3]])
    np.testing.assert_array_equal(lines["rejected (1)"], [[2], [0.9]])
    assert set(lines["threshold 0.5"][1]) == {0.5}
    assert set(lines["since image 2"][0]) == {2}
    bands = [(patch.get_y(), patch.get_y() + patch.get_height()) for patch in scores.patches]
    np.testing.assert_allclose(bands, [(0, 0.4), (0.1, 0.3)])
    curves = {line.get_label(): line.get_data() for line in evidence.lines}
    np.testing.assert_array_equal(curves["shift"], [[1, 2, 3], [0, 0.1, 0.2]])
    np.testing.assert_array_equal(curves["more rejections"], [[1, 2, 3], [0, 2.5, 2.4]])
    assert set(curves["drift"][1]) == {2.3}


def test_the_drift_chart_of_one_image_without_drift_has_no_date(figure):
    one = {"scores": [0.1], "rejected": [False], "evidence": {"a": [0.0], "b": [0.0]}}
    for axes in figure(lambda: charts.drift_chart(**(DRIFT | one | {"since": None}))).axes:
        assert not any("since" in line.get_label() for line in axes.lines)
