"""What the record promises, in SQLite and in PostgreSQL alike."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rcae.detector.detection import Region
from rcae.line.record.inspection import Inspection, Query, Review, ReviewState
from rcae.line.record.record import Record
from tests.line.record.conftest import EXAMPLE, REGION, START, inspected

ONE_RECORD = {
    "deadline": None,
    "derandomize": True,
    "suppress_health_check": [HealthCheck.function_scoped_fixture],
}
TEXT = st.text(st.characters(exclude_categories=["C", "Z"]), max_size=30)
NUMBERS = st.floats(allow_nan=False, allow_infinity=False)
MOMENTS = st.datetimes(
    datetime(2000, 1, 1),
    datetime(2100, 1, 1),
    timezones=st.sampled_from([UTC, timezone(timedelta(hours=5, minutes=45))]),
)
HEX = st.text("0123456789abcdef", min_size=64, max_size=64)
SIDES = st.integers(0, 2**31 - 1)
REGIONS = st.builds(Region, SIDES, SIDES, SIDES, SIDES, SIDES, NUMBERS, SIDES, SIDES)
INSPECTIONS = st.builds(
    Inspection,
    source=TEXT,
    image_sha256=HEX,
    width_px=SIDES,
    height_px=SIDES,
    model=TEXT,
    model_sha256=HEX,
    anomaly_score=NUMBERS,
    p_value=st.floats(0, 1),
    threshold=NUMBERS,
    is_defective=st.booleans(),
    regions=st.lists(REGIONS, max_size=3).map(tuple),
    duration_s=NUMBERS,
    executed_sha256=st.none() | HEX,
    remark=st.none() | st.just("part.png is 80x80 px, größer ✓"),
    time=MOMENTS,
)


def said(verdict, author="Ada", note="", minute=0):
    return Review(verdict, author, note, START + timedelta(minutes=minute))


def test_what_is_recorded_comes_back_as_it_was(record):
    @settings(max_examples=30, **ONE_RECORD)
    @given(INSPECTIONS)
    def check(inspection):
        (added,) = record.add([inspection])
        assert record.get(inspection.id) == added == replace(inspection, number=added.number)
        assert record.find(Query(), limit=1) == [added]

    check()


def test_an_id_is_recorded_once_and_keeps_its_number(record):
    first, second = record.add([inspected(1), inspected(2)])
    assert (first.number, second.number) == (1, 2)
    again = record.add([inspected(2, source="else"), inspected(3), inspected(3)])
    assert [one.number for one in again] == [2, 3, 3]
    assert record.count(Query()) == 3
    assert record.get(second.id).source == second.source
    assert record.add([]) == []
    assert record.get("f" * 32) is None


def test_a_batch_is_recorded_as_a_whole_or_not_at_all(record):
    with pytest.raises(Exception):  # noqa: B017, PT011
        record.add([inspected(1), inspected(2, anomaly_score="high" * 99, model=None)])
    assert record.count(Query()) == 0
    assert record.add([inspected(1)])[0].id == inspected(1).id


@pytest.fixture
def filled(record):
    """Sixty inspections that differ in everything that is asked for; those with their reviews."""
    random = np.random.default_rng(0)
    record.add(
        [
            inspected(
                number,
                source=str(random.choice(["a%b", "a_b", "A_B", "a\\b", "é/Ä.png", "'; --"])),
                model=str(random.choice(["parts", "screws"])),
                model_sha256=str(random.choice(["1b", "2c"])) * 32,
                threshold=float(random.choice([1.0, -2.0, 0.0])),
                anomaly_score=float(random.choice([-2.2, -1.8, 0.0, 0.9, 1.0, 1.1, 1.100000001])),
                is_defective=bool(random.random() < 0.5),
                time=START + timedelta(minutes=int(random.integers(30))),
                regions=(REGION,) * int(random.integers(3)),
            )
            for number in range(1, 61)
        ]
    )
    for number in random.integers(1, 61, 40).tolist():
        record.review(f"{number:032x}", said(str(random.choice(["good", "defect"])), minute=number))
    return record, [record.get(f"{number:032x}") for number in range(1, 61)]


QUERIES = st.builds(
    Query,
    model=st.sampled_from([None, "parts", "other"]),
    model_sha256=st.sampled_from([None, "2c" * 32]),
    is_defective=st.sampled_from([None, True, False]),
    reviewed=st.sampled_from([None, *ReviewState]),
    since=st.none() | st.integers(0, 30).map(lambda minutes: START + timedelta(minutes=minutes)),
    until=st.none() | st.integers(0, 30).map(lambda minutes: START + timedelta(minutes=minutes)),
    source_contains=st.sampled_from([None, None, "", "%", "_", "\\", "a", "A", "Ä", "ä", "'"]),
    borderline=st.sampled_from([None, None, 0.0, 0.1, 1.0]),
    number_below=st.none() | st.integers(0, 62),
    number_above=st.none() | st.integers(0, 62),
)


def matches(one, query):
    """What the docstrings of Query say, in Python."""
    last = one.reviews[-1].verdict if one.reviews else "not"
    share = abs(one.anomaly_score - one.threshold)
    return all(
        (
            query.model in (None, one.model),
            query.model_sha256 in (None, one.model_sha256),
            query.is_defective in (None, one.is_defective),
            query.reviewed in (None, last),
            query.since is None or one.time >= query.since,
            query.until is None or one.time < query.until,
            query.source_contains is None or query.source_contains in one.source,
            query.borderline is None or share <= query.borderline * abs(one.threshold),
            query.number_below is None or one.number < query.number_below,
            query.number_above is None or one.number > query.number_above,
        )
    )


def test_a_query_finds_what_matches_and_nothing_else(filled, monkeypatch):
    record, everything = filled
    monkeypatch.setattr("rcae.line.record.record.PAGE", 7)

    @settings(max_examples=80, **ONE_RECORD)
    @given(QUERIES, st.integers(1, 8))
    def check(query, limit):
        expected = [one for one in everything if matches(one, query)]
        assert record.find(query, limit=limit, newest_first=False) == expected[:limit]
        assert record.find(query, limit=limit) == expected[::-1][:limit]
        assert list(record.each(query)) == expected
        assert list(record.each(query, newest_first=True)) == expected[::-1]
        assert record.count(query) == len(expected)
        scores = [one.anomaly_score for one in expected]
        np.testing.assert_array_equal(record.scores(query, limit=limit), scores[-limit:])

    check()


def test_reviews_stay_in_order_and_the_last_one_counts(record):
    record.add([inspected(1), inspected(2)])
    record.review(inspected(1).id, said("defect", note="scratch\nleft", minute=5))
    found = record.review(inspected(1).id, said("good", "Bob", minute=3))
    assert [one.author for one in found.reviews] == ["Ada", "Bob"]
    assert found == record.get(inspected(1).id)
    assert found.reviews[0].note == "scratch\nleft"
    assert record.find(Query(reviewed=ReviewState.GOOD), limit=9) == [found]
    assert record.count(Query(reviewed=ReviewState.DEFECT)) == 0
    assert [one.number for one in record.each(Query(reviewed=ReviewState.NOT))] == [2]
    assert record.review("f" * 32, said("good")) is None


def test_an_image_is_known_by_model_place_and_content(record):
    record.add([EXAMPLE])
    known = (EXAMPLE.model, EXAMPLE.source, EXAMPLE.image_sha256)
    assert record.has(*known)
    for place in range(3):
        assert not record.has(
            *("other" if at == place else value for at, value in enumerate(known))
        )


def test_thresholds_of_a_model_follow_one_another(record):
    assert record.threshold("1b" * 32, 0.1) is None
    record.apply_threshold("1b" * 32, 1.25, 0.1, "Ada", "glare")
    record.apply_threshold("2c" * 32, 9.0, 0.1, "Bob", "dust")
    record.apply_threshold("1b" * 32, -3.5, 0.1, "Bob", "lamp")
    assert record.threshold("1b" * 32, 0.1) == -3.5
    assert record.threshold("1b" * 32, 0.2) is None
    applied = record.applied_thresholds("1b" * 32)
    told = [(one.threshold, one.author, one.reason) for one in applied]
    assert told == [(1.25, "Ada", "glare"), (-3.5, "Bob", "lamp")]
    assert timedelta(0) <= datetime.now(UTC) - applied[-1].time < timedelta(minutes=5)


def test_a_cursor_is_none_until_it_is_moved_and_survives_reopening(record, location):
    assert record.cursor("mqtt") is None
    record.move_cursor("mqtt", 0)
    record.move_cursor("webhook", 5)
    record.move_cursor("mqtt", 2**40)
    record.close()
    again = Record.open(location)
    assert (again.cursor("mqtt"), again.cursor("webhook")) == (2**40, 5)
    again.close()
