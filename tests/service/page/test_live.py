"""Results as they come, and what happens when they do not."""

import re

from playwright.sync_api import expect

from rcae.line.record.record import Record

HIDDEN = """Object.defineProperty(document, "hidden", {get: () => window.isAway ?? false})"""

COUNT_PICTURES = """window.alive = 0;
const [make, free] = [URL.createObjectURL, URL.revokeObjectURL];
URL.createObjectURL = (blob) => (window.alive++, make.call(URL, blob));
URL.revokeObjectURL = (url) => (window.alive--, free.call(URL, url));"""


def rows(page):
    return page.locator("#list li")


def test_a_new_result_appears_without_a_reload_and_leaves_the_selection(page, line):
    expect(rows(page)).to_have_count(2)
    line.inspect("scratch/001.png", name="newest.png")
    expect(rows(page)).to_have_count(3)
    expect(rows(page).first).to_contain_text("newest.png")
    expect(page.locator("#part-title")).to_have_text("000.png")


def test_a_line_says_decision_score_and_review_in_words(page, line):
    answer = line.inspect()
    word = "Rejected" if answer["is_defective"] else "Accepted"
    past = answer["anomaly_score"] - answer["threshold"]
    side = "above" if past >= 0 else "below"
    expect(rows(page)).to_have_count(3)
    expect(rows(page).first).to_contain_text(word)
    expect(rows(page).first).to_contain_text(f"{float(f'{abs(past):.3g}'):g} {side} threshold")
    expect(rows(page).first).to_contain_text("not reviewed")


def test_older_results_load_on_demand(look, line):
    line.inspect_many(52)
    page = look(line)
    expect(rows(page)).to_have_count(50)
    page.click("#older")
    expect(rows(page)).to_have_count(52)
    expect(page.locator("#older")).to_be_hidden()


def test_the_borderline_filter_shows_what_is_near_its_threshold(look, line, tmp_path):
    first = line.inspect("scratch/000.png")
    record = Record.open(tmp_path / "inspections.sqlite")

    def decide_at(by):  # also where the service lets nobody go
        threshold = first["anomaly_score"] + by * abs(first["anomaly_score"])
        applied = (first["model_sha256"], threshold, first["threshold"], "test", "a test")
        record.apply_threshold(*applied)

    for name, by in (("near.png", 0.04), ("wide.png", 0.15), ("far.png", 2)):
        decide_at(by)
        line.inspect("scratch/000.png", name=name)
    page = look(line)
    expect(rows(page)).to_have_count(4)
    page.get_by_text("Borderline", exact=True).click()
    expect(rows(page).filter(has_text="far.png")).to_have_count(0)
    expect(rows(page).filter(has_text="near.png")).to_have_count(1)
    expect(rows(page).filter(has_text="wide.png")).to_have_count(0)
    page.locator("#width").select_option("0.2")
    expect(rows(page).filter(has_text="wide.png")).to_have_count(1)
    line.inspect("scratch/000.png", name="later-far.png")
    decide_at(0.01)
    record.close()
    line.inspect("scratch/000.png", name="later-near.png")
    expect(rows(page).first).to_contain_text("later-near.png")
    expect(rows(page).filter(has_text="far.png")).to_have_count(0)


def test_what_an_output_refused_is_told_with_its_last_answer(look, line, tmp_path):
    number = line.inspect()["number"]
    record = Record.open(tmp_path / "inspections.sqlite")
    record.dead_letters.add("webhook-1", "webhook http://mes/", number, "it answers 422.")
    record.close()
    page = look(line)
    told = page.locator("#undelivered")
    expect(told).to_contain_text("1 inspection could not be sent to webhook http://mes/.")
    expect(told).to_contain_text("it answers 422.")


def test_a_service_that_is_away_is_told_and_what_was_missed_comes_when_it_is_back(page, line):
    page.route("**/api/**", lambda route: route.abort())
    expect(page.locator("#banner")).to_contain_text("cannot be reached")
    line.inspect("good/002.png", name="missed.png")
    page.unroute("**/api/**")
    expect(rows(page).first).to_contain_text("missed.png")
    expect(page.locator("#banner")).to_be_hidden()


def test_a_hidden_page_asks_nothing_and_catches_up_when_seen_again(look, line):
    line.inspect()
    page = look(line)
    expect(rows(page)).to_have_count(1)
    page.evaluate(HIDDEN)
    page.evaluate("window.isAway = true")
    page.wait_for_load_state("networkidle")
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    line.inspect("good/000.png", name="meanwhile.png")
    page.wait_for_timeout(1500)
    assert asked == []
    page.evaluate("window.isAway = false; document.dispatchEvent(new Event('visibilitychange'))")
    expect(rows(page).first).to_contain_text("meanwhile.png")


def test_pictures_that_are_not_shown_any_more_are_freed(look, line):
    line.inspect_many(6)
    page = look(line)
    page.add_init_script(COUNT_PICTURES)
    page.reload()
    expect(rows(page)).to_have_count(6)
    for _ in range(5):
        page.keyboard.press("j")
        expect(page.locator("#stage")).to_be_visible()
    expect(rows(page).last).to_have_attribute("aria-selected", "true")
    page.wait_for_load_state("networkidle")
    assert page.evaluate("window.alive") == page.locator("img[src^=blob]").count()


def test_dropped_images_are_inspected_and_a_text_is_refused_in_words(page, line, parts):
    content = list((parts / "test/scratch/002.png").read_bytes())
    page.evaluate(
        """([content]) => {
          const transfer = new DataTransfer();
          transfer.items.add(new File(["hello"], "letter.txt"));
          transfer.items.add(new File([new Uint8Array(content)], "dropped.png", {type: "image/png"}));
          for (const kind of ["dragover", "drop"])
            document.body.dispatchEvent(new DragEvent(kind, {dataTransfer: transfer, bubbles: true}));
        }""",
        [content],
    )
    expect(page.locator("#part-title")).to_have_text("dropped.png")
    expect(page.locator("#upload-errors")).to_have_text(
        re.compile("letter.txt.*image", re.IGNORECASE)
    )
    names = [one["source"] for one in line.client.get("/api/inspections").json()["inspections"]]
    assert names == ["dropped.png", "000.png", "001.png"]


def test_a_busy_service_is_asked_again(page, line, parts):
    answers = []

    def busy_once(route):
        answers.append(route.request.method)
        if len(answers) > 1:
            route.continue_()
        else:
            route.fulfill(
                status=503, headers={"Retry-After": "1"}, json={"detail": "The queue is full."}
            )

    page.route("**/api/models/parts/inspections", busy_once)
    page.set_input_files("#files", parts / "test/good/003.png")
    expect(page.locator("#part-title")).to_have_text("003.png")
    assert answers == ["POST", "POST"]
