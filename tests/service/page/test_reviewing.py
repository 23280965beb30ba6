"""What a person says, by hand and by keyboard."""

import pytest
from playwright.sync_api import expect


def reviews(line, inspection_id):
    return [
        (one["verdict"], one["author"], one["note"])
        for one in line.inspection(inspection_id)["reviews"]
    ]


@pytest.fixture
def newest_first(page, line):
    return [one["id"] for one in line.client.get("/api/inspections").json()["inspections"]]


def test_keys_store_verdicts_and_go_on_and_a_button_takes_one_back(page, line, newest_first):
    expect(page.locator("#part-title")).to_have_text("000.png")
    page.keyboard.press("g")
    expect(page.locator("#part-title")).to_have_text("001.png")
    expect(page.locator("#list li").first).to_contain_text("✓ good")
    assert reviews(line, newest_first[0]) == [("good", "Anna", "")]
    assert reviews(line, newest_first[1]) == []
    page.keyboard.press("d")
    expect(page.locator("#list li").last).to_contain_text("✓ defect")
    assert reviews(line, newest_first[1]) == [("defect", "Anna", "")]
    page.get_by_role("button", name="No, good").click()
    expect(page.locator("#list li").last).to_contain_text("✓ good")
    assert [verdict for verdict, *_ in reviews(line, newest_first[1])] == ["defect", "good"]


def test_a_note_goes_with_the_verdict_and_typing_it_is_no_command(page, line, newest_first):
    page.keyboard.press("n")
    page.keyboard.type("good gun dust")
    page.keyboard.press("Escape")
    page.keyboard.press("d")
    expect(page.locator("#part-title")).to_have_text("001.png")
    assert reviews(line, newest_first[0]) == [("defect", "Anna", "good gun dust")]
    expect(page.locator("#note")).to_have_value("")


def test_two_quick_keys_are_one_verdict_and_no_part_is_skipped(page, line, newest_first):
    page.evaluate(
        "for (const _ of 'gg') document.body.dispatchEvent("
        "new KeyboardEvent('keydown', {key: 'g', bubbles: true}))"
    )
    expect(page.locator("#part-title")).to_have_text("001.png")
    expect(page.locator("#list li").first).to_contain_text("✓ good")
    assert [len(reviews(line, one)) for one in newest_first] == [1, 0]


def test_taking_an_earlier_word_back_leaves_the_selection(look, line):
    for number in range(3):
        line.inspect("good/000.png", name=f"{number}.png")
    page = look(line)
    expect(page.locator("#part-title")).to_have_text("2.png")
    page.keyboard.press("g")
    expect(page.locator("#part-title")).to_have_text("1.png")
    page.get_by_role("button", name="No, defect").click()
    expect(page.locator("#list li").first).to_contain_text("✓ defect")
    expect(page.locator("#part-title")).to_have_text("1.png")


def test_the_name_is_asked_once_and_nothing_is_stored_without_it(look, line):
    ids = [line.inspect(file)["id"] for file in ("good/000.png", "good/001.png")]
    page = look(line, name=None)
    expect(page.locator("#part-title")).to_have_text("001.png")
    page.keyboard.press("g")
    expect(page.locator("#settings-dialog")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("#review")).to_have_attribute("aria-busy", "false")
    assert reviews(line, ids[1]) == []
    page.keyboard.press("g")
    page.locator("#name").fill("Berta")
    page.keyboard.press("Enter")
    expect(page.locator("#part-title")).to_have_text("000.png")
    page.keyboard.press("d")
    expect(page.locator("#failure")).to_contain_text("is reviewed")
    assert [reviews(line, one) for one in ids] == [
        [("defect", "Berta", "")],
        [("good", "Berta", "")],
    ]


def test_keys_go_through_the_list_and_to_what_is_not_reviewed(look, line):
    ids = [line.inspect("good/000.png", name=f"{number}.png")["id"] for number in range(4)]
    line.client.post(
        f"/api/inspections/{ids[2]}/reviews", json={"verdict": "good", "author": "Cem"}
    )
    page = look(line)
    title = page.locator("#part-title")
    expect(title).to_have_text("3.png")
    for key, name in (
        ("j", "2.png"),
        ("ArrowDown", "1.png"),
        ("k", "2.png"),
        ("ArrowUp", "3.png"),
        ("u", "1.png"),
        ("u", "0.png"),
        ("u", "3.png"),
    ):
        page.keyboard.press(key)
        expect(title).to_have_text(name)
    page.keyboard.press("?")
    expect(page.locator("#keys-dialog")).to_be_visible()


def test_single_keys_can_be_switched_off(page, line, newest_first):
    page.click("#show-settings")
    page.uncheck("#single-keys")
    page.keyboard.press("Enter")
    expect(page.locator("#settings-dialog")).to_be_hidden()
    page.keyboard.press("d")
    page.keyboard.press("j")
    expect(page.locator("#part-title")).to_have_text("000.png")
    assert reviews(line, newest_first[0]) == []


def test_what_was_set_counts_as_soon_as_the_dialog_is_gone(page, line, newest_first):
    page.click("#show-settings")
    page.uncheck("#single-keys")
    key_came_before_the_dialog_said_that_it_closed = page.evaluate(
        """async () => {
          const dialog = document.getElementById("settings-dialog");
          let closed = false;
          dialog.addEventListener("close", () => (closed = true));
          dialog.querySelector("[value=save]").click();
          for (let turn = 0; turn < 10; turn += 1) await null;
          document.body.dispatchEvent(new KeyboardEvent("keydown", {key: "d", bubbles: true}));
          return !dialog.open && !closed;
        }"""
    )
    assert key_came_before_the_dialog_said_that_it_closed
    page.keyboard.press("j")
    expect(page.locator("#part-title")).to_have_text("000.png")
    assert reviews(line, newest_first[0]) == []
