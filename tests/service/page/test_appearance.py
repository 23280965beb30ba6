"""Readable and usable: names, contrast, sizes; and text from outside stays text."""

from playwright.sync_api import expect

NAMELESS = """() => [...document.querySelectorAll("button, input, select, a, [role=slider], [role=listbox]")]
  .filter((it) => it.checkVisibility() && it.type !== "hidden")
  .filter((it) => !(it.getAttribute("aria-label") || it.textContent.trim() || [...(it.labels ?? [])].some(
    (label) => label.textContent.trim())))
  .map((it) => it.outerHTML)"""

FAINT = """() => {
  const canvas = new OffscreenCanvas(1, 1).getContext("2d", {willReadFrequently: true});
  const rgba = (colour) => {
    canvas.clearRect(0, 0, 1, 1);
    canvas.fillStyle = colour;
    canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data].map((value) => value / 255);
  };
  const linear = (value) => (value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4);
  const light = ([r, g, b]) => 0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b);
  const ground = (it) => {
    for (; it; it = it.parentElement) {
      const colour = rgba(getComputedStyle(it).backgroundColor);
      if (colour[3] > 0.99) return colour;
    }
    return [1, 1, 1];
  };
  const hasText = (it) => [...it.childNodes].some((child) => child.nodeType === 3 && child.data.trim());
  return [...document.body.querySelectorAll("*")]
    .filter((it) => hasText(it) && it.checkVisibility() && !it.closest(":disabled, #stage, .unseen, option"))
    .map((it) => {
      const style = getComputedStyle(it);
      const ink = rgba(it.closest("svg") ? style.fill : style.color);
      const [high, low] = [light(ink), light(ground(it))].sort((a, b) => b - a);
      return [Math.round(100 * (high + 0.05) / (low + 0.05)) / 100, it.textContent.trim(), it.className];
    })
    .filter(([contrast]) => contrast < 4.5);
}"""


def everything_shown(page):
    """Also what is seen at times only."""
    page.get_by_text("Borderline", exact=True).click()
    page.evaluate("document.getElementById('width').value = '0.2'")
    page.keyboard.press("g")
    page.evaluate(
        "for (const it of document.querySelectorAll('body > [hidden]:not(#files, #drop)')) it.hidden = false"
    )
    page.evaluate(
        "for (const id of ['banner', 'failure-words']) document.getElementById(id).textContent = 'x'"
    )


def test_all_text_stands_out_from_its_ground_in_light_and_in_dark(page):
    expect(page.locator("#histogram .tick").first).to_be_visible()
    everything_shown(page)
    for colours in ("light", "dark"):
        page.emulate_media(color_scheme=colours)
        assert page.evaluate(FAINT) == []


def test_every_control_has_a_name_and_shows_that_it_is_focused(page):
    for _ in range(12):
        page.keyboard.press("Tab")
        style = page.evaluate(
            "(() => { const it = document.activeElement.closest('label')?.querySelector('span') ??"
            " document.activeElement; return getComputedStyle(it).outlineStyle; })()"
        )
        assert style != "none"
    everything_shown(page)
    page.evaluate("for (const it of document.querySelectorAll('dialog')) it.show()")
    assert page.evaluate(NAMELESS) == []


def test_nothing_is_wider_than_the_screen(look, line):
    line.inspect(name=f"{'long-name-' * 20}.png")
    page = look(line)
    expect(page.locator("#list li")).to_have_count(1)
    page.keyboard.press("g")
    expect(page.locator("#said")).to_be_visible()
    for width, height in ((1280, 800), (768, 1024), (320, 700)):
        page.set_viewport_size({"width": width, "height": height})
        assert page.evaluate("document.documentElement.scrollWidth") == width


def test_dark_follows_the_system_until_the_switch_says_otherwise(look, line):
    page = look(line, colours="dark")
    ground = "getComputedStyle(document.body).backgroundColor"
    dark = page.evaluate(ground)
    page.click("#theme")
    light = page.evaluate(ground)
    assert (
        sum(map(int, light[4:-1].split(", "))) > 600 > 150 > sum(map(int, dark[4:-1].split(", ")))
    )
    page.reload()
    assert page.evaluate(ground) == light


def test_a_name_full_of_markup_is_shown_as_it_is_and_does_nothing(look, line):
    name = "<img src=x onerror=document.title='owned'><script>document.title='owned'</script>.png"
    inspection = line.inspect(name=name)
    review = {"verdict": "good", "author": "<b id=owned>", "note": "<i id=owned onclick=x>"}
    line.client.post(f"/api/inspections/{inspection['id']}/reviews", json=review).raise_for_status()
    page = look(line)
    expect(page.locator("#part-title")).to_have_text(inspection["source"])
    expect(page.locator("#reviews")).to_contain_text(review["note"])
    assert page.title() == "Inspections"
    assert page.locator("#owned, #list script, #part-title *").count() == 0


def test_the_key_is_asked_for_kept_for_the_tab_and_sent_with_pictures_too(look, serving):
    line = serving(api_key="a key of the right length".replace(" ", "-"))
    line.inspect()
    page = look(line)
    expect(page.locator("#settings-dialog")).to_contain_text("asks for its API key")
    page.locator("#key").fill(line.client.headers["X-API-Key"])
    page.keyboard.press("Enter")
    expect(page.locator("#stage")).to_be_visible()
    page.reload()
    expect(page.locator("#stage")).to_be_visible()
    expect(page.locator("#settings-dialog")).to_be_hidden()
    assert line.client.headers["X-API-Key"] not in page.evaluate("Object.values(localStorage)")
