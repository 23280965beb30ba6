"""The histogram and its line: what another threshold would do, before and after it is applied."""

import re

import pytest
from playwright.sync_api import expect

AXIS = """([typical, threshold, scores]) => import("/page/axis.js").then(({ScoreAxis}) => {
  const axis = new ScoreAxis(typical, threshold, scores);
  const ticks = axis.ticks(0.06);
  return {threshold: axis.position(threshold), positions: scores.map((score) => axis.position(score)),
    back: scores.map((score) => axis.score(axis.position(score))),
    ticks: ticks.map((tick) => axis.position(tick)).sort((a, b) => a - b), values: ticks};
})"""


def shown_rate(page):
    return page.locator("#threshold-words li").first.inner_text()


def test_the_line_moved_by_keyboard_tells_the_rate_and_applies_nothing(page, line):
    before = line.model
    handle = page.get_by_role("slider", name="Threshold")
    handle.focus()
    scores = before["calibration_scores"]
    seen = set()
    for key in ["PageDown"] * 12 + ["ArrowLeft"] * 4 + ["ArrowRight"] * 2:
        page.keyboard.press(key)
        tried = float(page.locator("#threshold-number").input_value())
        count = sum(score >= tried for score in scores)
        assert f"{count} of {len(scores)} good calibration parts" in shown_rate(page)
        seen.add(count)
    assert len(seen) > 1
    assert line.model == before
    page.click("#threshold-cancel")
    assert float(handle.get_attribute("aria-valuenow")) == before["threshold"]


def test_a_threshold_is_applied_after_it_is_confirmed(page, line):
    before = line.model["threshold"]
    wanted = round(before + 0.3, 3)
    page.locator("#threshold-number").fill(str(wanted))
    page.keyboard.press("Enter")
    page.click("#threshold-apply")
    expect(page.locator("#confirm-words")).to_contain_text("Anna")
    page.keyboard.press("Escape")
    assert line.model["threshold"] == before
    page.click("#threshold-apply")
    page.locator("#confirm-dialog").get_by_role("button", name="Apply").click()
    expect(page.locator("#confirm-dialog")).to_be_visible()  # without a reason nothing is applied
    assert line.model["threshold"] == before
    page.locator("#confirm-reason").fill("glare of the new lamp")
    page.locator("#confirm-dialog").get_by_role("button", name="Apply").click()
    expect(page.locator("#threshold-apply")).to_be_disabled()
    applied = line.model["threshold"]
    assert applied == pytest.approx(wanted, rel=1e-3)
    assert page.locator("#threshold-number").input_value() == f"{applied:g}"
    page.click("#threshold-calibrated")
    expect(page.locator("#threshold-apply")).to_be_enabled()
    page.click("#show-changes")
    expect(page.locator("#changes li").first).to_contain_text("by Anna: glare of the new lamp")
    expect(page.locator("#changes li").last).to_contain_text("model loaded")


def test_the_line_is_dragged_by_a_pointer(page, line):
    grip = page.locator("#threshold-line .grip").bounding_box()
    x, y = grip["x"] + grip["width"] / 2, grip["y"] + grip["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + 80, y, steps=4)
    page.mouse.up()
    assert float(page.locator("#threshold-number").input_value()) > line.model["threshold"]
    expect(page.locator("#threshold-apply")).to_be_enabled()


def test_reviewed_parts_are_held_against_the_line(page, line):
    first = line.client.get("/api/inspections").json()["inspections"][0]
    page.keyboard.press("d")
    words = page.locator("#threshold-words")
    expect(words).to_contain_text(f"{int(first['is_defective'])} of 1 reviewed as defect")
    page.locator("#threshold-number").fill(str(first["anomaly_score"] + 1))
    page.keyboard.press("Enter")
    expect(words).to_contain_text("0 of 1 reviewed as defect")
    expect(words).to_contain_text("0 of the last 2 parts")


def test_a_threshold_below_typical_good_parts_cannot_be_applied(page, line):
    page.locator("#threshold-number").fill(str(line.model["typical_value"] - 1))
    page.keyboard.press("Enter")
    expect(page.locator("#threshold-words")).to_contain_text("It must lie above")
    expect(page.locator("#threshold-apply")).to_be_disabled()


def test_the_axis_stays_readable(modules):
    for typical, threshold, scores in (
        (0.4, 4.387, [1.0, 3.0, 219.0]),
        (0.95, 1.356, [1.0, 1.3, 1.6]),
        (-3.0, 0.001, [-3.5, -1.0, 2.0]),
    ):
        axis = modules.evaluate(AXIS, [typical, threshold, scores])
        assert 0.12 < axis["threshold"] < 0.8
        assert all(0 < position < 1 for position in axis["positions"])
        assert axis["back"] == pytest.approx(scores)
        assert len(axis["ticks"]) >= 4
        gaps = [right - left for left, right in zip(axis["ticks"], axis["ticks"][1:], strict=False)]
        assert min(gaps) >= 0.06
        assert -0.001 <= axis["ticks"][0] <= axis["ticks"][-1] <= 1.001


def test_drift_is_acknowledged_with_a_name_and_a_reason(look, line):
    line.inspect()
    shifted = line.client.get("/api/models/parts/drift").json()
    shifted |= {"verdict": "everything shifted up", "since": 1, "seen": 1}
    page = look(line)
    expect(page.locator("#drift-verdict")).to_contain_text("No drift")
    expect(page.locator("#drift-acknowledge")).to_be_hidden()
    page.route(re.compile(r"/drift\?$"), lambda route: route.fulfill(json=shifted))
    page.click("#drift-acknowledge", timeout=20_000)  # the next look comes within seconds
    page.locator("#confirm-reason").fill("lamp changed")
    page.locator("#confirm-dialog").get_by_role("button", name="Acknowledge").click()
    expect(page.locator("#drift-verdict")).to_contain_text("No drift")
    last = line.client.get("/api/models/parts/changes").json()[-1]
    assert (last["kind"], last["author"], last["reason"]) == ("drift", "Anna", "lamp changed")
