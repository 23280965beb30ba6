"""Every query of a record in SQLite finds its rows by an index, however many rows there are."""

from datetime import UTC, datetime

import pytest
from sqlalchemy import event, text

from rcae.line.record.inspection import Query, Review, ReviewState
from rcae.line.record.record import Record
from rcae.line.record.tables import metadata
from tests.line.record.conftest import START, inspected

ONE = inspected(1)
BY_NUMBER = "USING INTEGER PRIMARY KEY"
SCANS = tuple(f"SCAN {table}" for table in metadata.tables)
QUESTIONS = {
    "add": (lambda record: record.add([inspected(9)]), "INDEX sqlite_autoindex_inspections"),
    "get": (lambda record: record.get(ONE.id), "INDEX sqlite_autoindex_inspections"),
    "has": (
        lambda record: record.has("parts", ONE.source, ONE.image_sha256),
        "USING INDEX ix_inspections_image_sha256_model (image_sha256=? AND model=?)",
    ),
    "a model": (
        lambda record: record.find(Query(model="parts"), limit=9),
        "ix_inspections_model_number (model=?)",
    ),
    "the next of a model": (
        lambda record: record.find(Query(model="parts", number_above=1), limit=9),
        "ix_inspections_model_number (model=? AND number>?)",
    ),
    "weights": (
        lambda record: record.find(Query(model_sha256="1b" * 32), limit=9),
        "ix_inspections_model_sha256_number (model_sha256=?)",
    ),
    "defective": (
        lambda record: record.find(Query(is_defective=True), limit=9),
        "ix_inspections_is_defective_number (is_defective=?)",
    ),
    "not reviewed": (
        lambda record: record.find(Query(reviewed=ReviewState.NOT), limit=9),
        "ix_inspections_verdict_number (verdict=?)",
    ),
    "reviewed": (
        lambda record: record.find(Query(reviewed=ReviewState.GOOD), limit=9),
        "ix_inspections_verdict_number (verdict=?)",
    ),
    "the next": (lambda record: record.find(Query(number_above=1), limit=9), BY_NUMBER),
    "earlier": (lambda record: record.find(Query(number_below=9), limit=9), BY_NUMBER),
    "count of a time": (
        lambda record: record.count(Query(since=START, until=START)),
        "ix_inspections_time (time>? AND time<?)",
    ),
    "scores": (
        lambda record: record.scores(Query(model="parts"), limit=9),
        "ix_inspections_model_number (model=?)",
    ),
    "review": (
        lambda record: record.review(ONE.id, Review("good", "Ada", "", datetime.now(UTC))),
        "INDEX sqlite_autoindex_inspections",
    ),
    "threshold": (
        lambda record: record.threshold("1b" * 32, 1.0),
        "ix_thresholds_model_sha256 (model_sha256=?)",
    ),
    "thresholds": (
        lambda record: record.applied_thresholds("1b" * 32),
        "ix_thresholds_model_sha256 (model_sha256=?)",
    ),
    "known files": (
        lambda record: record.known_files(["00" * 32, "01" * 32]),
        "INDEX sqlite_autoindex_known_files",
    ),
    "note files": (
        lambda record: record.note_files({"00" * 32: "1-2-3"}),
        "INDEX sqlite_autoindex_known_files",
    ),
    "cursor": (lambda record: record.cursor("mqtt"), "USING INDEX sqlite_autoindex_cursors"),
    "move": (lambda record: record.move_cursor("mqtt", 1), "USING INDEX sqlite_autoindex_cursors"),
}


@pytest.fixture
def record(tmp_path):
    opened = Record.open(tmp_path / "record.sqlite")
    opened.add([inspected(number, image_sha256=f"{number:064x}") for number in range(1, 50)])
    opened.review(inspected(2).id, Review("good", "Ada", "", datetime.now(UTC)))
    opened.move_cursor("mqtt", 1)
    yield opened
    opened.close()


def plans(record, ask):
    """The lines of SQLite's plan for every statement that the question executes."""
    executed = []

    def note(connection, cursor, statement, parameters, context, many):
        if statement.startswith(("SELECT", "UPDATE", "DELETE")):
            executed.append((statement, parameters))

    event.listen(record._engine, "before_cursor_execute", note)
    ask(record)
    event.remove(record._engine, "before_cursor_execute", note)
    with record._engine.connect() as connection:
        return [
            line[3]
            for statement, parameters in executed
            for line in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)
        ]


@pytest.mark.parametrize("question", QUESTIONS)
def test_a_question_is_answered_by_its_index_and_scans_no_table(record, question):
    ask, index = QUESTIONS[question]
    found = plans(record, ask)
    assert any(index in line for line in found), found
    assert not [line for line in found if line.startswith(SCANS)]


@pytest.mark.parametrize("query", [Query(), Query(model="parts"), Query(is_defective=True)])
def test_the_newest_are_read_in_the_order_of_an_index_and_not_sorted(record, query):
    def ask(record):
        record.scores(query, limit=9)

    assert not [line for line in plans(record, ask) if "TEMP B-TREE" in line]


def test_the_index_holds_after_statistics_were_made(record):
    with record._engine.begin() as connection:
        connection.execute(text("ANALYZE"))
    ask, index = QUESTIONS["has"]
    assert any(index in line for line in plans(record, ask))
