"""From SQLite to PostgreSQL, as docs/record.md says."""

import re
from pathlib import Path

from rcae.line.record.inspection import Query, Review
from rcae.line.record.record import Record
from tests.line.record.conftest import REGION, START, inspected

DOCUMENT = Path(__file__).parents[3] / "docs" / "record.md"


def test_the_example_moves_everything_and_counting_goes_on(cluster, tmp_path):
    cluster.empty()
    old = Record.open(tmp_path / "inspections.sqlite")
    old.add([inspected(number, regions=(REGION,), is_defective=True) for number in range(1, 1100)])
    old.review(inspected(5).id, Review("good", "Ada", "é\n", START))
    old.apply_threshold("1b" * 32, 1.25, 1.0, "Ada", "glare")
    old.move_cursor("mqtt", 7)
    everything = list(old.each(Query()))
    old.close()
    (example,) = re.findall(r"```python\n(.*?)```", DOCUMENT.read_text(encoding="utf-8"), re.DOTALL)
    code = example.replace("sqlite:///inspections.sqlite", f"sqlite:///{old.location}")
    code = code.replace("postgresql://rcae:secret@db.factory/rcae", cluster.url)
    exec(compile(code, "record.md", "exec"), {})
    new = Record.open(cluster.url)
    assert list(new.each(Query())) == everything
    assert (new.threshold("1b" * 32, 1.0), new.cursor("mqtt")) == (1.25, 7)
    assert new.applied_thresholds("1b" * 32)[0].author == "Ada"
    assert new.add([inspected(2000)])[0].number == 1100
    assert len(new.review(inspected(5).id, Review("defect", "Bob", "", START)).reviews) == 2
    new.close()
