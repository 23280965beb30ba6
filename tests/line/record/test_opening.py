"""Which databases are opened, which are refused, and what is said."""

import sqlite3

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import create_engine, text

from rcae.base.errors import DataError, StorageError, UsageError
from rcae.line.record.database import writing
from rcae.line.record.record import Record
from rcae.line.record.tables import metadata
from tests.line.record.conftest import inspected


def test_the_migrations_make_the_tables_that_are_used(record):
    with record._engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, metadata) == []


def test_a_record_is_opened_again_with_all_it_holds(record, location):
    record.add([inspected(1)])
    again = Record.open(location)
    assert again.get(inspected(1).id) == record.get(inspected(1).id)
    again.close()


def test_a_record_from_before_calibrations_were_noted_keeps_its_thresholds(record, location):
    record.apply_threshold("1b" * 32, 1.25, 1.0, "Ada", "glare")
    with writing(record._engine) as connection:  # as the first migration left it
        connection.execute(text("ALTER TABLE thresholds DROP COLUMN calibrated_threshold"))
        connection.execute(text("ALTER TABLE thresholds DROP COLUMN reason"))
        for table in ("known_files", "dead_letters", "changes", "drift_states"):
            connection.execute(text(f"DROP TABLE {table}"))
        for column in ("remark", "executed_sha256"):
            connection.execute(text(f"ALTER TABLE inspections DROP COLUMN {column}"))
        connection.execute(text("DROP INDEX ix_inspections_image_sha256_model"))
        connection.execute(
            text("CREATE INDEX ix_inspections_image_sha256 ON inspections (image_sha256)")
        )
        connection.execute(text("UPDATE alembic_version SET version_num = '1'"))
    again = Record.open(location)
    (applied,) = again.applied_thresholds("1b" * 32)
    assert (applied.threshold, applied.calibrated_threshold, applied.reason) == (1.25, None, None)
    (change,) = again.changes.of("parts", "1b" * 32)
    assert (change.kind, change.threshold, change.reason) == ("threshold", 1.25, "")
    assert again.threshold("1b" * 32, 1.0) is None
    again.close()


def test_a_record_of_a_newer_version_is_refused_and_left_as_it_is(record, location):
    with writing(record._engine) as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '999'"))
    with pytest.raises(DataError, match=r"newer version of rcae \(schema 999\); update rcae"):
        Record.open(location)
    with record._engine.connect() as connection:
        assert connection.execute(text("SELECT * FROM alembic_version")).scalar_one() == "999"


def test_tables_of_something_else_are_refused_and_left_alone(location):
    is_file = location.endswith(".sqlite")
    url = f"sqlite:///{location}" if is_file else location.replace(":", "+psycopg:", 1)
    engine = create_engine(url)
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE parts (number INTEGER)"))
    with pytest.raises(DataError, match="holds tables of something else"):
        Record.open(location)
    with engine.connect() as connection:
        assert connection.execute(text("SELECT count(*) FROM parts")).scalar_one() == 0
    engine.dispose()


def test_a_file_that_is_no_database_is_refused_and_left_as_it_is(tmp_path):
    file = tmp_path / "notes.txt"
    file.write_text("not a database\n" * 500)
    with pytest.raises(DataError, match=r"notes.txt is not a record, or is damaged"):
        Record.open(file)
    assert file.read_text() == "not a database\n" * 500


def test_a_damaged_record_is_refused(tmp_path):
    file = tmp_path / "inspections.sqlite"
    record = Record.open(file)
    record.add([inspected(number) for number in range(300)])
    record.close()
    content = bytearray(file.read_bytes())
    content[4096 : 20 * 4096] = b"\xff" * (19 * 4096)
    file.write_bytes(content)
    with pytest.raises(DataError, match="damaged"):
        Record.open(file)


def test_a_url_with_sqlite_in_front_is_the_same_file(tmp_path):
    Record.open(f"sqlite:///{tmp_path}/a.sqlite").close()
    with sqlite3.connect(tmp_path / "a.sqlite") as connection:
        assert connection.execute("SELECT count(*) FROM inspections").fetchone() == (0,)
    connection.close()


@pytest.mark.parametrize(
    ("location", "message"),
    [
        ("mysql://me:s3cret@host/db", "'mysql://...' is not known; give a file"),
        ("postgresql+asyncpg://me:s3cret@host/db", "is not known"),
        ("postgresql://me:s3cret@host:port/db", "is not known"),
        ("://s3cret", "is not known"),
        ("sqlite://", "needs a file"),
        (":memory:", "needs a file"),
        ("missing/s/inspections.sqlite", "make this folder"),
    ],
)
def test_what_is_no_record_is_one_sentence(location, message):
    with pytest.raises(UsageError, match=message) as refused:
        Record.open(location)
    assert "s3cret" not in str(refused.value)


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://me:s3cret@127.0.0.1:1/s3cret-db",
        "postgresql://me@127.0.0.1:1/db?password=s3cret",
        "postgresql://me:s3cret@/db?host=/nowhere",
        "postgresql://me:s3cret@127.0.0.1:1/db?nonsense=s3cret",
        "postgresql://me:s3cret@127.0.0.1:1/db?sslmode=s3cret",
    ],
)
def test_a_password_is_never_shown(url):
    with pytest.raises(StorageError) as refused:
        Record.open(url)
    said = str(refused.value)
    assert "s3cret" not in said.replace("s3cret-db", "")
    assert "postgresql://me" in said


def test_a_wrong_database_names_the_location_without_its_password(cluster):
    with pytest.raises(StorageError) as refused:
        Record.open(cluster.url.replace("/postgres?", "/nothere?"))
    assert '"nothere" does not exist' in str(refused.value)
    assert "s3cret" not in str(refused.value)


def test_a_folder_that_may_not_be_written_is_said(tmp_path, monkeypatch):
    def refuse(*_, **__):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("filelock.FileLock.acquire", refuse)
    with pytest.raises(StorageError, match=r"Permission denied.*folder that may be written"):
        Record.open(tmp_path / "inspections.sqlite")
