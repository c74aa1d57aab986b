"""edge-fea audit: lists what left, and verifies the list."""

import csv
import io
import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest

from edge_fea.config import StoreSettings
from edge_fea.errors import AuditBroken
from edge_fea.store.anchor import move_anchor
from edge_fea.store.audit import AuditEntry, AuditTrail
from edge_fea.store.clips import ClipRecorder
from edge_fea.store.dictionary import TRAIL
from tests.cli.conftest import Run
from tests.conftest import NOON


@pytest.fixture
def trail(database: Path) -> AuditTrail:
    """A pack that arrived, one that was refused, and an export that a power cut ended."""
    trail = AuditTrail(StoreSettings(database=database).audit, busy_timeout=1)
    for ends, outcome, more in (
        (None, "begun", {}),
        (1, "done", {"size": 4096, "sha256": "ab" * 32, "patients": ("P07", "P08")}),
        (None, "begun", {}),
        (3, "refused", {"note": "NotAllowed"}),
    ):
        trail.append(AuditEntry("stick:1", "pack", outcome, ends=ends, **more), NOON)
    trail.append(
        AuditEntry("ssh:SHA256:x", "export", patient="P07", start=NOON - timedelta(1)), NOON
    )
    return trail


def tamper(trail: AuditTrail) -> None:
    with closing(sqlite3.connect(trail.path)) as db:
        db.execute("DROP TRIGGER audit_keeps")
        db.execute("DROP TRIGGER audit_stays")
        db.execute("DELETE FROM audit WHERE seq = 2")
        db.execute("UPDATE audit SET who = 'nobody' WHERE seq = 4")
        db.commit()


def test_rows_are_listed_with_the_newest_last(run: Run, database: Path, trail: AuditTrail) -> None:
    result = run("--database", database, "audit")
    assert result.exit_code == 0
    lines = result.output.splitlines()[2:]
    assert [line.split()[0] for line in lines] == ["1", "2", "3", "4", "5"]
    assert "refused" in lines[3]
    assert "NotAllowed" in lines[3]
    assert "4096  abababababab" in lines[1]


def test_what_a_power_cut_ended_is_marked(run: Run, database: Path, trail: AuditTrail) -> None:
    lines = run("--database", database, "audit").output.splitlines()[2:]
    assert ["begun, no end" in line for line in lines] == [False, False, False, False, True]


def test_csv_and_json_hold_every_column(run: Run, database: Path, trail: AuditTrail) -> None:
    result = run("--database", database, "audit", "--format", "csv")
    rows = list(csv.DictReader(io.StringIO(result.stdout)))
    assert list(rows[0]) == [column.name for column in TRAIL["audit"]]
    assert json.loads(run("--database", database, "audit", "--format", "json").stdout) == (
        trail.rows()
    )


def test_a_patients_rows_are_found_by_the_pseudonym(
    run: Run, database: Path, trail: AuditTrail
) -> None:
    def seqs(patient: str) -> list[int]:
        shown = run("--database", database, "audit", "--patient", patient, "--format", "json")
        return [row["seq"] for row in json.loads(shown.stdout)]

    assert seqs("P07") == [1, 2, 3, 4, 5]
    assert seqs("P08") == [1, 2, 3, 4]
    assert seqs("P09") == [1, 3, 4]


def test_a_whole_trail_is_verified(run: Run, database: Path, trail: AuditTrail) -> None:
    result = run("--database", database, "audit", "--verify")
    assert result.exit_code == 0
    assert "5 rows, each as it was written, none missing" in result.output
    assert trail.rows()[-1]["chain"] in result.output


def test_a_trail_that_was_changed_ends_with_74_and_names_each_fault(
    run: Run, database: Path, trail: AuditTrail
) -> None:
    tamper(trail)
    result = run("--database", database, "audit", "--verify")
    assert result.exit_code == 74
    assert "is not as it was written" in result.stderr
    for fault in (
        "the trigger audit_keeps",
        "the trigger audit_stays",
        "row 3: row 2, before it, is missing",
        "row 4: was changed",
    ):
        assert fault in result.stderr


def test_the_hash_in_a_pack_must_be_in_the_trail(
    run: Run, database: Path, trail: AuditTrail
) -> None:
    head = trail.rows()[0]["chain"]
    assert run("--database", database, "audit", "--verify", "--head", head).exit_code == 0
    result = run("--database", database, "audit", "--verify", "--head", "0" * 64)
    assert result.exit_code == 74
    assert "cut off, or rewritten" in result.stderr
    assert run("--database", database, "audit", "--head", head).exit_code == 2


def remembered(database: Path, trail: AuditTrail) -> None:
    """What the service does as it starts."""
    with ClipRecorder(database, busy_timeout=1, now=NOON) as recorder:
        move_anchor(recorder.opened.db, database, trail)


def test_a_trail_that_goes_on_from_the_row_that_the_database_knows_is_whole(
    run: Run, database: Path, trail: AuditTrail
) -> None:
    remembered(database, trail)
    trail.append(AuditEntry("user:anna", "export"), NOON)
    assert run("--database", database, "audit", "--verify").exit_code == 0


def test_a_trail_that_was_removed_is_missed(run: Run, database: Path, trail: AuditTrail) -> None:
    remembered(database, trail)
    trail.path.unlink()
    result = run("--database", database, "audit", "--verify")
    assert result.exit_code == 74
    assert "no trail found, although row 5 was recorded on 2026-11-22T12:00:00" in result.stderr
    # A service that starts meanwhile does not forget it, and neither does a new trail.
    with pytest.raises(AuditBroken):
        remembered(database, trail)
    trail.append(AuditEntry("user:anna", "export"), NOON)
    result = run("--database", database, "audit", "--verify")
    assert result.exit_code == 74
    assert "row 5 was recorded on 2026-11-22T12:00:00.000Z, and is not in it" in result.stderr


def damaged(database: Path) -> None:
    database.write_bytes(b"SQLite format 3\0" + b"\xff" * 20_000)


def of_an_older_release(database: Path) -> None:
    with closing(sqlite3.connect(database)) as db, db:
        db.execute("DROP TABLE audit_anchor")
        db.execute("DELETE FROM _sqlite_migrations WHERE name = '0009_audit_anchor'")


@pytest.mark.parametrize("harm", [damaged, of_an_older_release])
def test_a_database_that_cannot_speak_for_the_trail_leaves_it_to_be_verified(
    run: Run, database: Path, trail: AuditTrail, harm: Callable[[Path], None]
) -> None:
    harm(database)
    result = run("--database", database, "audit", "--verify")
    assert result.exit_code == 0
    assert "5 rows, each as it was written" in result.stdout
    assert f"the database cannot speak for the whole trail: {database} is " in result.stderr
    tamper(trail)
    result = run("--database", database, "audit", "--verify")
    assert result.exit_code == 74
    assert "row 4: was changed" in result.stderr


def test_who_used_sudo_is_told_by_name(
    run: Run, database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.getuid", lambda: 0)
    monkeypatch.setenv("SUDO_USER", "anna")
    run("--database", database, "pack", "-o", "x")
    rows = json.loads(run("--database", database, "audit", "--format", "json").stdout)
    assert {row["who"] for row in rows} == {"user:anna (sudo)"}


def test_before_anything_has_left_there_is_nothing_to_list(run: Run, database: Path) -> None:
    for arguments in (["audit"], ["audit", "--verify"]):
        result = run("--database", database, *arguments)
        assert result.exit_code == 66
        assert "nothing has left this device" in result.stderr
