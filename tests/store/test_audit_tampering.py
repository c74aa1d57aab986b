"""The audit trail: whatever happens to its rows but adding shows."""

import hashlib
import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
import sqlite_utils
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlite_utils import Migrations

from edge_fea.errors import (
    SchemaTooNew,
    StoreDamaged,
)
from edge_fea.store.audit import AuditEntry, AuditTrail
from edge_fea.store.audit_chain import chain
from edge_fea.store.audit_schema import FIRST, GUARDS, migrations
from tests.conftest import NOON
from tests.store.audit_factory import fill, found, tamper, trail

__all__ = ["trail"]


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit SET who = 'user:mallory' WHERE seq = 3",
        "DELETE FROM audit WHERE seq = 5",
        "INSERT OR REPLACE INTO audit SELECT * FROM audit WHERE seq = 5",
        "REPLACE INTO audit (seq, at_utc, who, action, outcome, note, previous, chain) "
        "VALUES (3, '', '', '', '', '', '', '')",
        "UPDATE audit_key SET key = '00'",
        "DELETE FROM audit_key",
        "INSERT INTO audit_key VALUES ('00')",
    ],
)
def test_the_file_itself_refuses_all_but_new_rows(trail: AuditTrail, statement: str) -> None:
    fill(trail)
    with closing(sqlite3.connect(trail.path)) as db, pytest.raises(sqlite3.IntegrityError):
        db.execute(statement)


@pytest.mark.parametrize(
    ("statements", "what"),
    [
        (["DELETE FROM audit WHERE seq = 3"], "row 4: row 3, before it, is missing"),
        (["DELETE FROM audit WHERE seq IN (2, 3)"], "row 4: rows 2 to 3, before it, are missing"),
        (["DELETE FROM audit WHERE seq = 1"], "row 2: row 1, before it, is missing"),
        (["DELETE FROM audit WHERE seq = 5"], "row 5 is missing at the end"),
        (["DELETE FROM audit"], "rows 1 to 5 are missing at the end"),
        (["DELETE FROM audit", "DELETE FROM sqlite_sequence"], "no row is left"),
        (["UPDATE audit SET bytes = 0 WHERE seq = 3"], "row 3: was changed after"),
        (["UPDATE audit SET patient_refs = NULL WHERE seq = 5"], "row 5: was changed after"),
        (
            [
                "UPDATE audit SET seq = seq + 1 WHERE seq = 5",
                "INSERT INTO audit SELECT 5, ends, at_utc, 'user:mallory', action, outcome, "
                "patient_refs, from_utc, to_utc, format, bytes, sha256, note, previous, chain, "
                "NULL, NULL, NULL, NULL FROM audit WHERE seq = 4",
            ],
            "row 5: does not follow from the row before it; row 5: was changed",
        ),
        (
            [
                "INSERT INTO audit SELECT 6, ends, at_utc, who, action, outcome, patient_refs, "
                "from_utc, to_utc, format, bytes, sha256, note, chain, chain, NULL, NULL, NULL, "
                "NULL FROM audit WHERE seq = 5"
            ],
            "row 6: was changed after it was written, or not written by edge-fea",
        ),
        (
            ["UPDATE audit SET to_place = 7 WHERE seq = 3"],
            "row 3: was changed after",
        ),
        (
            ["UPDATE audit SET readers = '0123456789abcdef' WHERE seq = 3"],
            "row 3: was changed after",
        ),
        (
            ["DELETE FROM audit WHERE seq = 5", "UPDATE sqlite_sequence SET seq = 3"],
            "4 rows, but the counter of rows says 3",
        ),
    ],
)
def test_rows_removed_changed_or_put_in_show(
    trail: AuditTrail, statements: list[str], what: str
) -> None:
    fill(trail)
    tamper(trail, *statements)
    assert what in found(trail)


def test_a_last_row_that_was_removed_shows_after_new_rows_too(trail: AuditTrail) -> None:
    fill(trail)
    tamper(trail, "DELETE FROM audit WHERE seq = 5")
    fill(trail, 2)
    assert found(trail) == "row 6: row 5, before it, is missing"


def test_triggers_that_are_gone_show_though_nothing_was_changed(trail: AuditTrail) -> None:
    fill(trail)
    with closing(sqlite3.connect(trail.path)) as db:
        db.execute("DROP TRIGGER audit_stays")
    assert "the trigger audit_stays" in found(trail)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seq=st.integers(1, 4), column=st.integers(1, 16), value=st.text(max_size=5) | st.none())
def test_any_change_of_any_value_shows(
    tmp_path: Path, seq: int, column: int, value: str | None
) -> None:
    trail = AuditTrail(tmp_path / "a.db", busy_timeout=1)
    trail.path.unlink(missing_ok=True)
    fill(trail, 4)
    name = list(trail.rows()[0])[column]
    new = 7 if name in ("ends", "bytes") else value or ""
    if value is None and name in ("patient_refs", "from_utc", "to_utc", "format", "sha256"):
        new = None
    before = {row["seq"]: row[name] for row in trail.rows()}
    with closing(sqlite3.connect(trail.path)) as db:
        db.execute("DROP TRIGGER audit_keeps")
        try:
            db.execute(f"UPDATE audit SET {name} = ? WHERE seq = ?", [new, seq])
        except (UnicodeEncodeError, sqlite3.IntegrityError):
            return
        db.execute(GUARDS["audit_keeps"])
        db.commit()
    assert bool(trail.faults()) == (before[seq] != new)


def test_whoever_computes_all_hashes_anew_is_found_out_by_the_head_in_a_pack(
    trail: AuditTrail,
) -> None:
    fill(trail)
    head_in_a_pack = trail.rows()[-1]["chain"]
    rows = [row for row in trail.rows() if row["seq"] != 3]
    previous, statements = FIRST, ["DELETE FROM audit", "UPDATE sqlite_sequence SET seq = 4"]
    for number, row in enumerate(rows, 1):
        forged = row | {"seq": number, "previous": previous}
        previous = forged["chain"] = chain(forged)
        values = ", ".join(
            "NULL" if value is None else json.dumps(value).replace('"', "'")
            for value in forged.values()
        )
        statements.append(f"INSERT INTO audit VALUES ({values})")
    tamper(trail, *statements)
    assert trail.faults() == []
    assert not trail.contains(head_in_a_pack)
    assert trail.contains(previous)


def test_what_a_stick_says_of_itself_cannot_reach_a_terminal(trail: AuditTrail) -> None:
    trail.append(AuditEntry("stick:\x1b[2J\n" + "A" * 500, "pack"), NOON)
    (row,) = trail.rows()
    assert row["who"].startswith("stick:?[2J?AAA")
    assert len(row["who"]) == 200


def test_a_damaged_trail_lets_nothing_leave_and_says_what_to_do(trail: AuditTrail) -> None:
    fill(trail)
    trail.path.write_bytes(b"garbage " * 500)
    for ask in (trail.rows, trail.faults, lambda: fill(trail, 1)):
        with pytest.raises(StoreDamaged, match="nothing may leave: move it elsewhere"):
            ask()


def test_a_trail_of_a_newer_version_is_refused(trail: AuditTrail) -> None:
    fill(trail)
    with closing(sqlite3.connect(trail.path)) as db:
        db.execute(
            "INSERT INTO _sqlite_migrations (migration_set, name, applied_at) "
            "VALUES ('edge_fea_audit', '0002_more', '')"
        )
        db.commit()
    for ask in (trail.rows, lambda: fill(trail, 1)):
        with pytest.raises(SchemaTooNew, match="0002_more"):
            ask()
    assert trail.path.exists()


def test_the_rows_of_an_older_version_stay_whole_beside_new_ones(trail: AuditTrail) -> None:
    """Their hashes know nothing of the columns that came later."""
    first = migrations._migrations[0]
    steps = Migrations("edge_fea_audit")
    steps(name=first.name, transactional=first.transactional)(first.fn)
    trail.path.parent.mkdir()
    row = dict.fromkeys(("patient_refs", "from_utc", "to_utc", "format", "bytes", "sha256"))
    row |= {"seq": 1, "ends": None, "at_utc": "2026-01-01T00:00:00.000Z", "who": "user:anna"}
    row |= {"action": "pack", "outcome": "done", "note": "", "previous": FIRST}
    text = json.dumps(row, sort_keys=True, separators=(",", ":"))
    row["chain"] = hashlib.sha256(text.encode()).hexdigest()
    with closing(sqlite3.connect(trail.path)) as db:
        steps.apply(sqlite_utils.Database(db))
        names = ", ".join(row)
        db.execute(f"INSERT INTO audit ({names}) VALUES (:{', :'.join(row)})", row)
        db.commit()
    # Whoever may only read the file finds it as it was.
    assert trail.faults() == []
    assert "to_place" not in trail.rows()[0]
    trail.append(AuditEntry("user:anna", "pack", "done", after_place=0, to_place=7), NOON)
    assert trail.faults() == []
    old, new = trail.rows()
    assert (old["chain"], old["to_place"], new["to_place"]) == (row["chain"], None, 7)
