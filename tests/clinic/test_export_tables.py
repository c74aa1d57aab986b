"""CSV, JSON Lines, Parquet and SQLite, read back with what their users have: nothing is lost."""

import csv
import io
import json
import re
import sqlite3
import zipfile
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import pandas as pd
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings

from edge_fea import __version__
from edge_fea.capture.clock import iso
from edge_fea.clinic.export import FORMATS, parquet
from edge_fea.clinic.export.lines import typed
from edge_fea.errors import ExtraMissing
from edge_fea.store import snapshot
from edge_fea.store.clips import ClipRecorder
from edge_fea.store.database import open_for_staff
from edge_fea.store.dictionary import TABLES, records
from edge_fea.store.patients import Stays
from tests.clinic.export_factory import (
    CLIPS,
    MIXED,
    NAMES,
    any_rows,
    export,
    fresh,
    from_text,
    insert,
    record,
    selected,
)
from tests.conftest import NOON

some = settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)

PANDAS = {
    "text": "string",
    "moment": "string",
    "integer": "Int64",
    "real": "float64",
    "boolean": "Int64",
}
DUCKDB = {
    "text": "VARCHAR",
    "moment": "VARCHAR",
    "integer": "BIGINT",
    "real": "DOUBLE",
    "boolean": "BIGINT",
}


def through_pandas(file: object) -> list[dict]:
    """As ``docs/exports.md`` says: the dictionary's types, and only empty cells are missing."""
    frame = pd.read_csv(
        file,
        dtype={column.name: PANDAS[column.kind] for column in CLIPS},
        keep_default_na=False,
        na_values=[""],
    )
    return [
        {name: None if pd.isna(value) else value for name, value in row.items()}
        for row in frame.to_dict("records")
    ]


def through_duckdb(query: str, parameters: list[object]) -> list[dict]:
    with duckdb.connect() as db:
        found = db.execute(query, parameters)
        names = [column[0] for column in found.description]
        return [dict(zip(names, row, strict=True)) for row in found.fetchall()]


@some
@given(any_rows())
def test_csv_loses_nothing(tmp_path: Path, rows: list[dict]) -> None:
    out = fresh(tmp_path)
    source = export("csv", insert(fresh(tmp_path), *rows), out)
    with out.open(newline="") as file:
        assert [from_text(row) for row in csv.DictReader(file)] == source
    assert through_pandas(out) == source
    types = {column.name: DUCKDB[column.kind] for column in CLIPS}
    query = "SELECT * FROM read_csv(?, header = true, auto_detect = false, columns = ?)"
    assert through_duckdb(query, [str(out), types]) == source


@some
@given(any_rows())
def test_jsonl_loses_nothing(tmp_path: Path, rows: list[dict]) -> None:
    out = fresh(tmp_path)
    source = [typed(row) for row in export("jsonl", insert(fresh(tmp_path), *rows), out)]
    assert [json.loads(line) for line in out.read_text().splitlines()] == source
    types = {c.name: "BOOLEAN" if c.kind == "boolean" else DUCKDB[c.kind] for c in CLIPS}
    query = "SELECT * FROM read_json(?, format = 'newline_delimited', columns = ?)"
    assert through_duckdb(query, [str(out), types]) == source


@some
@given(any_rows())
def test_parquet_loses_nothing(tmp_path: Path, rows: list[dict]) -> None:
    out = fresh(tmp_path)
    source = [typed(row) for row in export("parquet", insert(fresh(tmp_path), *rows), out)]

    def plain(row: dict) -> dict:
        moments = {k: iso(v) for k, v in row.items() if isinstance(v, datetime)}
        return {**row, **moments}

    assert [plain(row) for row in pq.read_table(out).to_pylist()] == source
    # DuckDB's moments become Python's only with another library; their milliseconds do without.
    moments = [column.name for column in CLIPS if column.kind == "moment"]
    named = ", ".join(f"epoch_ms({name}) AS {name}" for name in moments)
    read = through_duckdb(f"SELECT * REPLACE ({named}) FROM read_parquet(?)", [str(out)])
    for row, there in zip(read, source, strict=True):
        for name in moments:
            row[name] = row[name] and iso(datetime.fromtimestamp(row[name] / 1000, UTC))
        assert row == there


@some
@given(any_rows())
def test_sqlite_loses_nothing(tmp_path: Path, rows: list[dict]) -> None:
    out = fresh(tmp_path)
    source = export("sqlite", insert(fresh(tmp_path), *rows), out)
    with selected(out) as copy:
        assert list(copy) == source


def test_columns_are_those_of_the_data_dictionary(tmp_path: Path) -> None:
    database = record(tmp_path / "clips.db", *MIXED)
    for name in ("csv", "parquet"):
        export(name, database, tmp_path / name)
    assert list(pd.read_csv(tmp_path / "csv").columns) == NAMES
    assert list(pd.read_parquet(tmp_path / "parquet").columns) == NAMES


def test_missing_scores_are_empty_cells_and_not_zeros(tmp_path: Path) -> None:
    export("csv", record(tmp_path / "clips.db", *MIXED), tmp_path / "clips.csv")
    frame = pd.read_csv(tmp_path / "clips.csv")
    unseen = frame[frame.sufficient == 0]
    assert len(unseen) == 1
    assert unseen[["mean_happy", "dominant", "expressivity_mean"]].isna().all(axis=None)


def test_the_table_comes_with_its_dictionary(tmp_path: Path) -> None:
    export("csv-zip", record(tmp_path / "clips.db", *MIXED), tmp_path / "clips.zip")
    with zipfile.ZipFile(tmp_path / "clips.zip") as files:
        assert files.testzip() is None
        assert files.namelist() == ["dictionary.csv", "clips.csv"]
        told = list(csv.DictReader(io.TextIOWrapper(files.open("dictionary.csv"))))
        assert [row["column"] for row in told] == list(pd.read_csv(files.open("clips.csv")).columns)
    assert told == [row for row in records() if row["table"] == "clips"]


def test_the_second_series_goes_along_where_it_is_asked_for(tmp_path: Path) -> None:
    database = record(tmp_path / "clips.db", *MIXED, series=True)
    export("csv-zip", database, tmp_path / "clips.zip", series=True)
    with zipfile.ZipFile(tmp_path / "clips.zip") as files:
        seconds = pd.read_csv(files.open("seconds.csv"))
        clips = pd.read_csv(files.open("clips.csv"))
    assert list(seconds.columns) == [column.name for column in TABLES["seconds"]]
    kept = seconds.groupby("clip_id").size()
    assert dict(kept) == dict(zip(clips.clip_id, clips.valid_seconds, strict=True))


def test_archives_hold_no_times_and_no_owners(tmp_path: Path) -> None:
    database = record(tmp_path / "clips.db", *MIXED)
    for name in ("csv-zip", "redcap", "bids"):
        export(name, database, tmp_path / name)
        with zipfile.ZipFile(tmp_path / name) as files:
            assert {entry.date_time for entry in files.infolist()} == {(1980, 1, 1, 0, 0, 0)}
            assert {entry.external_attr >> 16 & 0o777 for entry in files.infolist()} == {0o600}


@given(any_rows())
@some
def test_no_text_cell_can_hold_a_formula_that_does_something(
    tmp_path: Path, rows: list[dict]
) -> None:
    """A spreadsheet may take a leading minus for a formula; without these it calls nothing."""
    out = fresh(tmp_path)
    export("csv", insert(fresh(tmp_path), *rows), out)
    assert not set(out.read_text()) & set("=@|!()'\"\t\r;")


def test_parquet_says_what_its_columns_mean(tmp_path: Path) -> None:
    export("parquet", record(tmp_path / "clips.db", *MIXED), tmp_path / "clips.parquet")
    schema = pq.read_schema(tmp_path / "clips.parquet")
    assert schema.metadata[b"edge_fea_version"].decode() == __version__
    for column in CLIPS:
        field = schema.field(column.name)
        assert field.metadata[b"meaning"].decode() == column.meaning
        assert field.nullable == column.nullable
    assert str(schema.field("start_utc").type) == "timestamp[ms, tz=UTC]"
    assert str(schema.field("sufficient").type) == "bool"
    assert str(schema.field("frames_valid").type) == "int64"


def test_parquet_without_its_library_names_the_extra(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "pyarrow", None)
    database = record(tmp_path / "clips.db", *MIXED)
    with pytest.raises(ExtraMissing, match=r"edge-fea\[parquet\]"):
        export("parquet", database, tmp_path / "clips.parquet")
    assert not (tmp_path / "clips.parquet").exists()


def test_parquet_of_more_clips_than_fit_in_memory_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parquet, "_GROUP", 2)
    export("parquet", record(tmp_path / "clips.db", *MIXED), tmp_path / "clips.parquet")
    with pq.ParquetFile(tmp_path / "clips.parquet") as file:
        assert (file.num_row_groups, file.metadata.num_rows) == (2, 3)


def test_a_snapshot_opens_as_any_database_of_edge_fea(tmp_path: Path) -> None:
    database = record(tmp_path / "clips.db", *MIXED, series=True)
    export("sqlite", database, tmp_path / "snapshot.db", patient="P07", series=True)
    with selected(tmp_path / "snapshot.db") as copy:
        assert copy.patients() == ["P07"]
        assert sum(1 for _ in copy.reader.seconds(copy.wanted)) == 240 + 10
    with ClipRecorder(tmp_path / "snapshot.db", busy_timeout=1, now=NOON) as recorder:
        assert recorder.opened.backup is None  # its schema is up to date
        assert recorder.opened.rescue is None


def test_a_snapshot_without_the_series_has_an_empty_table(tmp_path: Path) -> None:
    database = record(tmp_path / "clips.db", *MIXED, series=True)
    export("sqlite", database, tmp_path / "snapshot.db")
    with closing(sqlite3.connect(tmp_path / "snapshot.db")) as db:
        assert db.execute("SELECT count(*) FROM seconds").fetchone() == (0,)


def test_a_snapshot_takes_along_only_what_belongs_to_its_clips(tmp_path: Path) -> None:
    database = record(tmp_path / "clips.db", *MIXED)
    start = datetime(2026, 11, 22, 12, tzinfo=UTC)
    with open_for_staff(database, busy_timeout=1) as db:
        stays = Stays(db)
        for patient, hours in (("P07", -48), ("P-08", -24), ("P07", -1), ("P-08", 24)):
            stays.start(patient, start + timedelta(hours=hours))
        for number, patient in enumerate(["P07", "P07", "P-08"], 1):
            usual = {c.name: 0 for c in TABLES["baselines"] if not c.nullable}
            text = {"model_sha256": "ab", "made_utc": "x", "first_utc": "x", "last_utc": "x"}
            row = {**usual, **text, "baseline_id": number, "patient": patient}
            db.table("baselines").insert(row)
            db.table("baseline_resets").insert({"patient": patient, "at_utc": iso(start)})
        db.execute("UPDATE clips SET baseline_id = 2 WHERE patient = 'P07'")
        db.conn.commit()
    export(
        "sqlite",
        database,
        tmp_path / "copy",
        patient="P07",
        start=start,
        end=start.replace(hour=18),
    )
    with closing(sqlite3.connect(tmp_path / "copy")) as db:
        assert db.execute("SELECT start_utc FROM stays").fetchall() == [
            ("2026-11-22T11:00:00.000Z",)
        ]
        assert db.execute("SELECT baseline_id FROM baselines").fetchall() == [(2,)]
        assert db.execute("SELECT DISTINCT patient FROM baseline_resets").fetchall() == [("P07",)]
        assert db.execute("SELECT count(*) FROM erasures").fetchone() == (0,)
        assert b"P-08" not in (tmp_path / "copy").read_bytes()


def test_every_table_goes_along_by_a_rule_or_stays_empty_on_purpose() -> None:
    left_empty = {"audit_anchor", "clip_order", "clock_checks", "erasures"}
    assert set(TABLES) - set(snapshot._ROWS) == left_empty


def test_the_reader_of_a_snapshot_finds_what_sqlite_finds(tmp_path: Path) -> None:
    export("sqlite", record(tmp_path / "clips.db", *MIXED), tmp_path / "copy")
    whole = bytearray((tmp_path / "copy").read_bytes())
    whole[9000:12000] = bytes(3000)
    (tmp_path / "torn").write_bytes(whole)
    with pytest.raises((ValueError, sqlite3.DatabaseError)):
        FORMATS["sqlite"].count(tmp_path / "torn")


def test_rows_stand_in_the_order_in_which_they_happened(tmp_path: Path) -> None:
    source = export("jsonl", record(tmp_path / "clips.db", *MIXED[::-1]), tmp_path / "out")
    assert [row["start_utc"] for row in source] == sorted(row["start_utc"] for row in source)
    lines = (tmp_path / "out").read_text().splitlines()
    assert [json.loads(line)["clip_id"] for line in lines] == [row["clip_id"] for row in source]


def examples(language: str) -> list[str]:
    page = (Path(__file__).parents[2] / "docs" / "exports.md").read_text()
    return re.findall(rf"```{language}\n(.*?)```", page, re.DOTALL)


def test_the_pages_examples_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    database = record(tmp_path / "clips.db", *MIXED)
    for name in ("csv", "jsonl", "parquet"):
        export(name, database, Path(f"clips.{name}"))
    shown: dict[str, pd.DataFrame] = {}
    for text in examples("python"):
        exec(text, shown)
        assert len(shown["clips"]) == 3
    assert len(examples("python")) == 3
    (query,) = examples("sql")
    assert {row["patient"] for row in through_duckdb(query, [])} == {"P07", "P-08"}
