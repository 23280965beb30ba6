"""The report: complete in itself, safe with hostile names, and true to the numbers given."""

import base64
import errno
import io
import re
from dataclasses import dataclass, field, replace
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from rcae.base.errors import StorageError
from rcae.drawing import charts
from rcae.drawing.page import FactGroup, Picture, PictureGroup
from rcae.evaluation.metrics.ranking import rank_scores, roc_curve
from rcae.evaluation.report import EvaluationReport, write_report
from rcae.evaluation.result import SUMMARY
from tests.evaluation.made_up import made_up_result, made_up_type

NO_MASKS = "no masks in ground_truth/crack"

SCRATCH = made_up_type(5, 4, **dict(zip(SUMMARY, (0.951, 0.952, 0.953, 0.954, 0.955), strict=True)))
CRACK = made_up_type(3, 2, image_auroc=0.711, image_ap=0.712)
VALUES = {
    "category": "Screws",
    "threshold": 0.31234567,
    "false_alarm_rate_promised": 0.05,
    "good_count": 40,
    "false_alarm_rate_seen": 1 / 40,
    "defective_count": 8,
    "detection_rate": 6 / 8,
    "image_auroc": 0.912345,
    "defect_types": {"scratch": SCRATCH, "crack": CRACK},
    "undefined": dict.fromkeys(
        ("pixel_auroc", "pixel_ap", "pixel_f1_max", "aupro", "aupro_5"), NO_MASKS
    ),
}
REPORT = EvaluationReport(
    result=made_up_result(**VALUES),
    created="2026-01-02 03:04 UTC",
    assurance="on average",
    promise="At most 5 % of good parts.",
    good_scores=np.linspace(0.1, 0.32, 40),
    defective_scores=np.linspace(0.2, 0.9, 8),
    picture_groups=(
        PictureGroup(
            "Found",
            "The clearest first.",
            (Picture(Image.new("RGB", (1600, 1200), "navy"), "scratch/000.png"),),
        ),
        PictureGroup("False alarms", "Good images above the threshold.", ()),
        PictureGroup(
            "Recursion", "Step by step.", (Picture(Image.new("RGB", (1800, 300)), "a strip"),)
        ),
    ),
    facts=(FactGroup("Versions", {"rcae": "0.1.0", "torch": "2.6.0"}),),
    licence_note="Images: their makers.",
)

VOID = {"meta", "img", "br", "link", "input", "hr", "source"}


@dataclass
class Element:
    """One HTML element with the text below it."""

    tag: str
    attributes: dict[str, str | None]
    text: str = ""


@dataclass
class Page(HTMLParser):
    """All elements in order; fails where tags do not nest."""

    elements: list[Element] = field(default_factory=list)
    open: list[Element] = field(default_factory=list)

    def __post_init__(self):
        super().__init__()

    def handle_starttag(self, tag, attrs):
        element = Element(tag, dict(attrs))
        assert len(attrs) == len(element.attributes), f"{tag} repeats an attribute"
        self.elements.append(element)
        if tag not in VOID:
            self.open.append(element)

    def handle_endtag(self, tag):
        assert self.open.pop().tag == tag

    def handle_data(self, data):
        for element in self.open:
            element.text += data

    def all(self, *tags):
        return [element for element in self.elements if element.tag in tags]

    @property
    def text(self):
        return re.sub(r"\s+", " ", self.all("body")[0].text)


def require_self_contained(page, path):
    """Nothing in the page at `path` is fetched, and no script runs."""
    assert not page.all("script", "link", "iframe", "object", "base", "form")
    for element in page.elements:
        for name in ("src", "href", "srcset", "action", "poster"):
            target = element.attributes.get(name) or "#"
            assert target.startswith(("#", "data:image/")), target[:60]
    source = path.read_text(encoding="utf-8")
    assert not re.search(r"url\(|@import|https?://", source)
    (policy,) = (e for e in page.all("meta") if "http-equiv" in e.attributes)
    assert policy.attributes["content"].startswith("default-src 'none'; img-src data:;")


@pytest.fixture
def render(tmp_path, monkeypatch):
    """Writes a report, with stand-ins for the charts (they take most of the time), and reads it."""
    for chart in ("roc_chart", "score_histogram"):
        monkeypatch.setattr(charts, chart, lambda *args, **kwargs: b"a chart")

    def render(report: EvaluationReport) -> Page:
        path = tmp_path / "report.html"
        write_report(path, report)
        page = Page()
        page.feed(path.read_text(encoding="utf-8"))
        page.close()
        assert page.open == []
        return page

    return render


def with_result(**changes):
    return replace(REPORT, result=made_up_result(**{**VALUES, **changes}))


def test_every_number_given_is_in_the_report_at_full_precision(render):
    shown = {float(element.attributes["value"]) for element in render(REPORT).all("data")}
    assert shown >= {0.31234567, 0.05, 1 / 40, 6 / 8, 0.912345}
    assert shown >= {0.951, 0.952, 0.953, 0.954, 0.955, 0.711, 0.712}


def test_what_is_read_is_the_number_rounded(render):
    page = render(REPORT)
    for element in page.all("data"):
        value, text = (
            float(element.attributes["value"]),
            element.text.replace("\N{NO-BREAK SPACE}", ""),
        )
        seen = float(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
        assert seen == pytest.approx(value, abs=6e-4), text
    assert "6 of 8 defective images" in page.text
    assert "1 of 40 good images" in page.text
    assert REPORT.promise in page.text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1.0, "1.000"),
        (0.99996, "> 0.999"),
        (0.9994, "0.999"),
        (0.0, "0.000"),
        (0.00004, "4e-05"),
        (35.218, "35.22"),
    ],
)
def test_a_score_that_is_not_perfect_never_reads_as_perfect(render, value, text):
    report = with_result(image_ap=value)
    (shown,) = (e for e in render(report).all("data") if float(e.attributes["value"]) == value)
    assert shown.text == text


@pytest.mark.parametrize(
    ("alarms", "images", "text"),
    [(0, 40, "0.0 %"), (1, 10_000, "0.01 %"), (9_999, 10_000, "> 99.9 %"), (40, 40, "100.0 %")],
)
def test_a_rate_that_is_not_nothing_or_everything_never_reads_so(render, alarms, images, text):
    page = render(with_result(false_alarm_rate_seen=alarms / images, good_count=images))
    assert f"{alarms} of {images} good images" in page.text
    assert text in page.text.replace("\N{NO-BREAK SPACE}", " ")


def test_a_missing_summary_number_shows_its_reason_in_place(render):
    (card,) = (e for e in render(REPORT).all("article") if "Pixel AP" in e.text)
    assert NO_MASKS in card.text
    assert not re.search(r"\d", card.text)


def test_missing_numbers_of_the_table_share_one_footnote(render):
    page = render(REPORT)
    assert [note.text for note in page.all("li") if "ground_truth" in note.text] == [NO_MASKS]
    assert [mark.text for mark in page.all("sup")] == ["1", "1", "1"]


def test_the_table_has_one_row_per_defect_type_with_its_share_found(render):
    rows = [re.sub(r"\s+", " ", row.text) for row in render(REPORT).all("tr")]
    (scratch,) = (row for row in rows if "scratch" in row)
    (crack,) = (row for row in rows if "crack" in row)
    assert "4 80.0 %" in scratch
    assert "2 66.7 %" in crack


def test_the_defect_type_with_the_lowest_image_auroc_is_named(render):
    (row,) = (row for row in render(REPORT).all("tr") if "weakest" in row.text)
    assert "crack" in row.text


def test_no_defect_type_is_called_weakest_where_all_are_alike(render):
    for twins in ({"a": SCRATCH, "b": SCRATCH}, {"scratch": SCRATCH}):
        assert "weakest" not in render(with_result(defect_types=twins)).text


@pytest.mark.parametrize(("false_alarms", "flagged"), [(2, False), (3, True)])
def test_more_false_alarms_than_promised_are_flagged(render, false_alarms, flagged):
    page = render(
        with_result(false_alarm_rate_seen=false_alarms / 40)
    )  # of 40, promised at most 5 %
    assert ("Seen more often than promised." in page.text) is flagged


@pytest.mark.parametrize("missing", ["good", "defective"])
def test_a_test_set_of_one_class_only_says_what_is_missing(render, missing):
    unknown = {
        "good": {"good_count": 0, "false_alarm_rate_seen": None},
        "defective": {"defective_count": 0, "detection_rate": None, "defect_types": {}},
    }
    of_both = dict.fromkeys(("image_auroc", "image_ap", "image_f1_max"))
    report = with_result(**unknown[missing], **of_both)
    page = render(replace(report, **{f"{missing}_scores": np.array([])}))
    assert f"no {missing} images in the test set" in page.text
    assert "There is no ROC curve" in page.text
    lead = next(e for e in page.all("p") if e.attributes.get("class") == "lead")
    sentence = " ".join(lead.text.split()).removeprefix(
        "At a threshold set from good images alone, "
    )
    assert (
        sentence
        == {
            "good": "the detector finds 6 of 8 defective images.",
            "defective": "the detector raises a false alarm on 1 of 40 good ones.",
        }[missing]
    )


def test_the_first_sentence_says_what_was_found_and_what_raised_a_false_alarm(render):
    lead = next(e for e in render(REPORT).all("p") if e.attributes.get("class") == "lead")
    assert " ".join(lead.text.split()) == (
        "At a threshold set from good images alone, the detector finds 6 of 8 defective images and "
        "raises a false alarm on 1 of 40 good ones."
    )


HOSTILE = """<img src=x onerror=alert(1)>'"&amp;</style></title><script>.png"""


def test_hostile_names_stay_text_wherever_they_appear(render):
    picture = Picture(Image.new("RGB", (8, 8)), HOSTILE)
    reasons = dict.fromkeys(VALUES["undefined"], HOSTILE)
    report = replace(
        with_result(category=HOSTILE, defect_types={HOSTILE: CRACK}, undefined=reasons),
        created=HOSTILE,
        promise=HOSTILE,
        picture_groups=(PictureGroup(HOSTILE, HOSTILE, (picture,)),),
        facts=(FactGroup(HOSTILE, {HOSTILE: HOSTILE}),),
        licence_note=HOSTILE,
    )
    harmless, page = render(REPORT), render(report)
    assert {e.tag for e in page.elements} <= {e.tag for e in harmless.elements}
    assert not any(name.startswith("on") for e in page.elements for name in e.attributes)
    assert page.text.count(HOSTILE) == 15
    assert page.all("title")[0].text == f"RcAE on {HOSTILE}"
    assert HOSTILE in [image.attributes["alt"] for image in page.all("img")]


def test_a_file_name_that_is_no_text_is_shown_escaped(render):
    picture = Picture(Image.new("RGB", (8, 8)), b"caf\xe9.png".decode("utf-8", "surrogateescape"))
    page = render(replace(REPORT, picture_groups=(PictureGroup("One", "", (picture,)),)))
    assert r"caf\udce9.png" in page.text


def test_nothing_is_fetched_from_outside_and_no_script_runs(render, tmp_path):
    page = render(REPORT)
    require_self_contained(page, tmp_path / "report.html")


def test_links_and_labels_lead_to_places_that_exist_once(render):
    page = render(REPORT)
    places = [e.attributes["id"] for e in page.elements if "id" in e.attributes]
    assert len(places) == len(set(places))
    assert {link.attributes["href"][1:] for link in page.all("a")} <= set(places)
    assert {s.attributes["aria-labelledby"] for s in page.all("section")} <= set(places)


def test_the_report_can_be_read_with_a_screen_reader(render):
    page = render(REPORT)
    assert page.all("html")[0].attributes["lang"] == "en"
    assert all(image.attributes["alt"] for image in page.all("img"))
    assert all(header.attributes["scope"] in {"row", "col"} for header in page.all("th"))
    levels = [int(heading.tag[1]) for heading in page.all("h1", "h2", "h3", "h4")]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))


def test_every_picture_is_there_shrunk_and_undistorted(render):
    images = render(REPORT).all("img")
    sizes = [
        Image.open(io.BytesIO(base64.b64decode(image.attributes["src"].split(",")[1]))).size
        for image in images
        if image.attributes["src"].startswith("data:image/jpeg")
    ]
    assert sizes == [(720, 540), (1800, 300)]
    assert len(images) == 2 + 2  # and two charts


def test_the_charts_are_drawn_from_the_numbers_of_the_report(tmp_path, monkeypatch):
    drawn = {}

    def roc_chart(false_positive_rate, true_positive_rate, auroc, operating_point):
        drawn["roc"] = (false_positive_rate, true_positive_rate, auroc, operating_point)
        return b"the curve"

    def score_histogram(good_scores, defective_scores, threshold):
        drawn["scores"] = (good_scores, defective_scores, threshold)
        return b"the bars"

    monkeypatch.setattr(charts, "roc_chart", roc_chart)
    monkeypatch.setattr(charts, "score_histogram", score_histogram)
    write_report(tmp_path / "report.html", REPORT)
    scores = np.concatenate((REPORT.good_scores, REPORT.defective_scores))
    curve = roc_curve(rank_scores(scores, np.repeat([False, True], (40, 8))))
    assert np.array_equal(drawn["roc"][:2], curve)
    assert drawn["roc"][2:] == (0.912345, (1 / 40, 0.75))
    assert drawn["scores"] == (REPORT.good_scores, REPORT.defective_scores, 0.31234567)
    source = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert base64.b64encode(b"the curve").decode() in source
    assert base64.b64encode(b"the bars").decode() in source


def test_an_empty_group_of_pictures_says_none(render):
    (group,) = (
        e
        for e in render(REPORT).all("article")
        if "False alarms" in e.text and "Good images above" in e.text
    )
    assert group.text.strip().endswith("None.")


def test_parts_without_content_are_left_out(render):
    bare = with_result(defect_types={})
    page = render(replace(bare, picture_groups=(), facts=(), licence_note=""))
    assert [heading.text for heading in page.all("h2")] == ["Summary", "Scores"]
    assert [link.text for link in page.all("a")] == ["Summary", "Scores"]


def test_forty_grainy_pictures_fit_into_six_megabytes(tmp_path):
    grain = np.random.default_rng(0).normal(140, 12, (1000, 1000, 1))
    picture = Picture(Image.fromarray(grain.repeat(3, axis=2).astype(np.uint8)), "grain")
    path = tmp_path / "report.html"
    write_report(path, replace(REPORT, picture_groups=(PictureGroup("All", "", (picture,) * 40),)))
    assert path.stat().st_size < 6e6


def test_the_same_report_is_the_same_file(tmp_path):
    for name in ("a", "b"):
        write_report(tmp_path / name, REPORT)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_a_full_disk_leaves_the_old_report_as_it_was(tmp_path, monkeypatch):
    path = tmp_path / "report.html"
    path.write_text("the old report")

    def half_a_file(self, data):
        with self.open("wb") as file:
            file.write(data[:100])
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", half_a_file)
    with pytest.raises(StorageError, match=r"report\.html.*No space left"):
        write_report(path, REPORT)
    assert path.read_text() == "the old report"
    assert list(tmp_path.iterdir()) == [path]
