"""The data dictionary holds every column, and the documentation page is made from it."""

import csv
import io
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner
from sqlite_utils import Database

from edge_fea.cli import cli
from edge_fea.store.audit import AuditEntry, AuditTrail
from edge_fea.store.clips import ClipRecorder
from edge_fea.store.dictionary import TABLE_MEANINGS, TABLES, TRAIL, markdown, records
from edge_fea.store.rows import row_of
from tests.conftest import NOON
from tests.store.clip_factory import make_clip

PAGE = Path(__file__).parents[2] / "docs" / "dictionary.md"
SQLITE = {
    "text": "TEXT",
    "moment": "TEXT",
    "integer": "INTEGER",
    "boolean": "INTEGER",
    "real": "REAL",
}


@pytest.fixture
def trail(tmp_path: Path) -> Iterator[Database]:
    """The file of an audit trail."""
    path = tmp_path / "audit.db"
    AuditTrail(path, busy_timeout=1).append(AuditEntry("service", "pack"), NOON)
    db = Database(path)
    yield db
    db.close()


def test_every_table_is_in_the_dictionary(recorder: ClipRecorder) -> None:
    names = recorder.opened.db.table_names()
    tables = {name for name in names if not name.startswith(("_", "sqlite_"))}
    assert tables == set(TABLES) == set(TABLE_MEANINGS) - set(TRAIL)


def test_every_table_of_the_trail_but_its_key_is_in_the_dictionary(trail: Database) -> None:
    tables = {name for name in trail.table_names() if not name.startswith(("_", "sqlite_"))}
    assert tables == {*TRAIL, "audit_key"}


@pytest.mark.parametrize("table", [*TABLES, *TRAIL])
def test_the_database_has_the_columns_of_the_dictionary(
    recorder: ClipRecorder, trail: Database, table: str
) -> None:
    db = trail if table in TRAIL else recorder.opened.db
    found = {
        column.name: (column.type, bool(column.notnull) or bool(column.is_pk))
        for column in db.table(table).columns
    }
    assert found == {
        column.name: (SQLITE[column.kind], not column.nullable)
        for column in (TABLES | TRAIL)[table]
    }


def test_the_database_explains_itself(path: Path) -> None:
    with ClipRecorder(path, busy_timeout=0.1, now=NOON) as first:
        stored = list(first.opened.db.table("data_dictionary").rows)
        first.opened.db.table("data_dictionary").delete_where("table_name = 'stays'")
    assert [(row["table_name"], row["column_name"]) for row in stored] == [
        (row["table"], row["column"]) for row in records()
    ]
    with ClipRecorder(path, busy_timeout=0.1, now=NOON) as again:
        assert list(again.opened.db.table("data_dictionary").rows) == stored


def test_a_clips_row_has_just_these_columns() -> None:
    assert set(row_of(make_clip())) == {column.name for column in TABLES["clips"]}


@pytest.mark.parametrize("table", [*TABLES, *TRAIL])
def test_every_column_says_what_it_means(table: str) -> None:
    columns = (TABLES | TRAIL)[table]
    names = [column.name for column in columns]
    assert len(names) == len(set(names))
    for column in columns:
        assert column.meaning
        if column.kind == "real" and column.name not in (
            "duration_s",
            "frame_rate",
            "start_monotonic_s",
        ):
            assert column.formula, column.name


def test_values_lie_in_their_ranges() -> None:
    row = row_of(make_clip())
    for column in TABLES["clips"]:
        value = row[column.name]
        if value is None:
            assert column.nullable
        elif column.levels:
            assert str(int(value) if isinstance(value, bool) else value) in column.levels
        elif isinstance(value, int | float):
            assert column.low is None or value >= column.low
            assert column.high is None or value <= column.high


def test_the_documentation_page_is_made_from_it() -> None:
    assert PAGE.read_text() == markdown(), "run: edge-fea dictionary > docs/dictionary.md"


def test_it_can_be_read_as_csv() -> None:
    result = CliRunner().invoke(cli, ["dictionary", "--format", "csv"])
    assert list(csv.DictReader(io.StringIO(result.stdout))) == records()
