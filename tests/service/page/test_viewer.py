"""The selected part, large."""

import io
import re

import pytest
from PIL import Image
from playwright.sync_api import expect


@pytest.fixture
def part(look, line):
    """The page over one rejected part, and what the service says of it."""
    line.set_threshold((line.inspect()["anomaly_score"] + line.model["typical_value"]) / 2)
    inspection = line.inspect()
    page = look(line)
    expect(page.locator("#stage")).to_be_visible()
    return page, inspection


def scale(page):
    return float(
        re.search(r"scale\((.*)\)", page.locator("#stage").evaluate("it => it.style.transform"))[1]
    )


def test_regions_are_outlined_where_the_service_says_they_are_and_listed(part):
    page, inspection = part
    regions = inspection["regions"]
    assert regions
    names = ("x", "y", "width", "height")
    boxes = page.locator("#regions rect.line").evaluate_all(
        f"all => all.map(it => {list(names)}.map(name => +it.getAttribute(name)))"
    )
    places = ("left_px", "top_px", "width_px", "height_px")
    assert boxes == [[region[place] for place in places] for region in regions]
    numbers = page.locator("#regions text").all_text_contents()
    assert numbers == [str(number) for number in range(1, len(regions) + 1)]
    expect(page.locator("#region-list li")).to_have_count(len(regions))
    expect(page.locator("#region-list li").first).to_contain_text(f"{regions[0]['area_px']} pixel")
    image = page.locator("#image").bounding_box()
    box = page.locator("#regions rect.line").first.evaluate(
        "it => { const m = it.getScreenCTM(); return [m.e, m.f, m.a]; }"
    )
    assert box[:2] == pytest.approx([image["x"], image["y"]], abs=0.5)
    assert box[2] == pytest.approx(image["width"] / inspection["width_px"], rel=0.01)
    heat = page.locator("#heat").bounding_box()
    assert heat == pytest.approx(image, abs=0.5)


def test_zoom_by_button_key_and_wheel_then_fit(part):
    page, _ = part
    fitted = scale(page)
    page.click("#zoom-in")
    by_button = scale(page)
    page.keyboard.press("+")
    by_key = scale(page)
    page.locator("#view").hover()
    page.mouse.wheel(0, -300)
    expect(page.locator("#view")).not_to_have_class(re.compile("fitted"))
    assert fitted < by_button < by_key < scale(page)
    page.keyboard.press("1")
    assert scale(page) == 1
    page.keyboard.press("0")
    assert scale(page) == pytest.approx(fitted)


def test_the_point_under_the_wheel_stays_and_an_arrow_moves_the_image(part):
    page, _ = part
    frame = page.locator("#view").bounding_box()
    x, y = frame["x"] + frame["width"] / 2 + 30, frame["y"] + frame["height"] / 2 - 20
    spot = f"""(() => {{
      const box = document.getElementById("image").getBoundingClientRect();
      return [({x} - box.x) / box.width, ({y} - box.y) / box.height];
    }})()"""
    before = page.evaluate(spot)
    page.mouse.move(x, y)
    page.mouse.wheel(0, -400)
    expect(page.locator("#view")).not_to_have_class(re.compile("fitted"))
    assert page.evaluate(spot) == pytest.approx(before, abs=0.01)
    left = page.locator("#image").bounding_box()["x"]
    page.locator("#view").focus()
    page.keyboard.press("ArrowRight")
    assert page.locator("#image").bounding_box()["x"] == pytest.approx(left - 60, abs=1)
    expect(page.locator("#part-title")).to_have_text("000.png")


def test_heat_and_regions_can_be_put_away(part):
    page, _ = part
    page.keyboard.press("h")
    expect(page.locator("#heat")).to_have_css("opacity", "0")
    page.locator("#opacity").fill("40")
    expect(page.locator("#heat")).to_have_css("opacity", "0.4")
    expect(page.locator("#show-heat")).to_be_checked()
    page.keyboard.press("r")
    expect(page.locator("#regions")).to_have_css("visibility", "hidden")


def test_a_picture_that_is_no_longer_kept_is_told(part, tmp_path, line):
    page, _ = part
    for file in (tmp_path / "images").rglob("*"):
        if file.is_file():
            file.unlink()
    page.route("**/image", lambda route: route.fulfill(status=410, json={"detail": "gone"}))
    page.keyboard.press("j")
    expect(page.locator("#view-words")).to_contain_text("no longer kept")
    expect(page.locator("#facts")).to_contain_text("threshold")


def test_a_p_value_is_said_in_words(modules):
    for p_value, words in (
        (0.005, "1 in 200 good parts"),
        (1 / 24, "1 in 24 good parts"),
        (0.4, "4 in 10 good parts"),
        (0.9, "as usual as most good parts"),
    ):
        said = modules.evaluate(f"import('/page/words.js').then(it => it.unusual({p_value}))")
        assert words in said


def test_a_format_that_browsers_do_not_know_is_shown(look, line, parts):
    file = io.BytesIO()
    Image.open(parts / "test/good/000.png").save(file, "TIFF")
    files = {"image": ("part.tiff", file.getvalue())}
    line.client.post("/api/models/parts/inspections", files=files).raise_for_status()
    page = look(line)
    expect(page.locator("#stage")).to_be_visible()
    assert page.locator("#image").evaluate("it => it.naturalWidth") == 40
