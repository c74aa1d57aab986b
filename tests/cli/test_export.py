"""`edge-fea export`: one file that is new, whole and read back, or standard output; on record."""

import json
import sqlite3
import zipfile
from contextlib import closing
from pathlib import Path

import pytest

from edge_fea.cli import export as command
from edge_fea.clinic.export import FORMATS
from edge_fea.config.settings import StoreSettings
from edge_fea.store.audit import AuditTrail
from edge_fea.store.clips import ClipRecorder
from tests.cli.conftest import CLIPS, Run
from tests.conftest import NOON

every_format = pytest.mark.parametrize("name", FORMATS)


def trail(database: Path) -> list[dict]:
    return AuditTrail(StoreSettings(database=database).audit, busy_timeout=1).rows()


@every_format
def test_it_writes_a_file_and_says_what_is_in_it(
    run: Run, database: Path, tmp_path: Path, name: str
) -> None:
    done = run("--database", database, "export", "--format", name, "-o", tmp_path / "out")
    assert done.exit_code == 0, done.output
    assert f"3 clips of 2 patients as {name} to {tmp_path / 'out'}" in done.stderr
    assert done.stdout == ""
    assert FORMATS[name].count(tmp_path / "out") == 3


@every_format
def test_without_a_file_it_writes_to_standard_output(
    run: Run, database: Path, tmp_path: Path, name: str
) -> None:
    run("--database", database, "export", "--format", name, "-o", tmp_path / "out")
    done = run("--database", database, "export", "--format", name)
    assert done.stdout_bytes == (tmp_path / "out").read_bytes()
    assert "to standard output" in done.stderr


def test_period_patient_and_sufficiency_narrow_it(run: Run, database: Path) -> None:
    def exported(*options: str) -> list[tuple[str, bool]]:
        done = run("--database", database, "export", "--format", "jsonl", *options)
        return [(r["patient"], r["sufficient"]) for r in map(json.loads, done.stdout.splitlines())]

    assert exported() == [("P07", True), ("P08", True), ("P07", False)]
    assert exported("--patient", "P08") == [("P08", True)]
    assert exported("--insufficient") == [("P07", False)]
    assert exported("--from", "2026-11-22T13:05+01:00", "--sufficient") == [("P08", True)]
    assert exported("--to", "2026-11-22T12:05") == [("P07", True)]


def test_a_name_that_is_taken_is_left_alone(run: Run, database: Path, tmp_path: Path) -> None:
    (tmp_path / "out").write_text("mine")
    done = run("--database", database, "export", "--format", "csv", "-o", tmp_path / "out")
    assert done.exit_code == 73
    assert "is there already" in done.stderr
    assert (tmp_path / "out").read_text() == "mine"


def test_nothing_to_export_is_said_and_no_file_is_left(
    run: Run, database: Path, tmp_path: Path
) -> None:
    done = run(
        *("--database", database, "export", "--format", "csv"),
        *("--patient", "P99", "-o", tmp_path / "out"),
    )
    assert done.exit_code == 66
    assert "no clips of patient P99 to export: " in done.stderr
    assert "`edge-fea clips`" in done.stderr
    assert not (tmp_path / "out").exists()


def test_each_export_is_on_record_before_and_after(
    run: Run, database: Path, tmp_path: Path
) -> None:
    run(
        *("--database", database, "export", "--format", "csv", "-o", tmp_path / "out"),
        *("--patient", "P07", "--from", "2026-11-01", "--to", "2026-11-30"),
    )
    begun, done = trail(database)
    assert [row["outcome"] for row in (begun, done)] == ["begun", "done"]
    for row in (begun, done):
        assert (row["action"], row["format"]) == ("export", "csv")
        assert row["from_utc"] == "2026-11-01T00:00:00.000Z"
        assert row["to_utc"] == "2026-12-01T00:00:00.000Z"
        assert row["who"].startswith("user:")
        assert row["patient_refs"]
        assert "P07" not in str(row)
    assert done["bytes"] == (tmp_path / "out").stat().st_size
    assert len(done["sha256"]) == 64


def test_an_export_that_failed_is_on_record_too(run: Run, database: Path, tmp_path: Path) -> None:
    run("--database", database, "export", "--format", "csv", "-o", tmp_path / "no" / "out")
    last = trail(database)[-1]
    assert (last["outcome"], last["note"]) == ("failed", "OutputUnwritable")


def test_without_a_trail_nothing_leaves(run: Run, database: Path, tmp_path: Path) -> None:
    audit = StoreSettings(database=database).audit
    audit.parent.mkdir(exist_ok=True)
    audit.write_text("no database at all")
    done = run("--database", database, "export", "--format", "csv", "-o", tmp_path / "out")
    assert done.exit_code != 0
    assert not (tmp_path / "out").exists()


def test_a_database_that_is_not_there_makes_no_trail(run: Run, tmp_path: Path) -> None:
    done = run("--database", tmp_path / "none.db", "export", "--format", "csv")
    assert done.exit_code == 66
    assert list(tmp_path.rglob("*audit*")) == []


@every_format
def test_what_is_binary_does_not_go_to_a_terminal(
    run: Run, database: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(command, "_is_terminal", lambda: True)
    done = run("--database", database, "export", "--format", name)
    assert done.exit_code == (0 if FORMATS[name].text else 2)
    assert ("give -o FILE" in done.stderr) != FORMATS[name].text


def test_options_that_a_format_cannot_honour_are_refused(run: Run, database: Path) -> None:
    series = run("--database", database, "export", "--format", "fhir", "--series")
    assert series.exit_code == 2
    assert "csv-zip, bids, sqlite can" in series.stderr


def test_the_series_goes_along(run: Run, tmp_path: Path) -> None:
    database = tmp_path / "clips.db"
    with ClipRecorder(database, busy_timeout=1, now=NOON, keep_series=True) as recorder:
        for clip in CLIPS:
            recorder.save(clip)
    run("--database", database, "export", "--format", "csv-zip", "--series", "-o", "out.zip")
    with zipfile.ZipFile(tmp_path / "out.zip") as files:
        assert "seconds.csv" in files.namelist()


def test_a_snapshot_is_read_by_the_other_commands(run: Run, database: Path, tmp_path: Path) -> None:
    run("--database", database, "export", "--format", "sqlite", "-o", tmp_path / "copy.db")
    shown = run("--database", tmp_path / "copy.db", "clips", "--format", "json")
    assert json.loads(shown.stdout) == json.loads(
        run("--database", database, "clips", "--format", "json").stdout
    )
    with closing(sqlite3.connect(tmp_path / "copy.db")) as db:
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_the_help_lists_every_format(run: Run) -> None:
    shown = " ".join(run("export", "--help").stdout.split())
    for form in FORMATS.values():
        assert form.about in shown
