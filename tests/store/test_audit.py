"""The audit trail: rows are only added, and whatever else happens to them shows."""

import hashlib
import json
import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager, closing
from datetime import timedelta
from pathlib import Path

import pytest
import sqlite_utils
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlite_utils import Migrations

from edge_fea.errors import (
    NotFoundError,
    SchemaTooNew,
    StoreBusy,
    StoreDamaged,
    StoreError,
    StoreUnwritable,
)
from edge_fea.store.audit import AuditEntry, AuditTrail, _chain
from edge_fea.store.audit_schema import FIRST, GUARDS, migrations
from tests.conftest import NOON

FORKED = """
import os, sys
from pathlib import Path
from edge_fea.store.audit import AuditEntry, AuditTrail
from tests.conftest import NOON
trail = AuditTrail(Path(sys.argv[1]), busy_timeout=60)
gate_out, gate_in = os.pipe()
children = []
for number in range(int(sys.argv[2])):
    child = os.fork()
    if child == 0:
        os.close(gate_in)
        os.read(gate_out, 1)
        trail.append(AuditEntry(f"user:{number}", "pack"), NOON)
        os._exit(0)
    children.append(child)
os.close(gate_in)
codes = [os.waitpid(child, 0)[1] for child in children]
sys.exit(any(codes))
"""


@pytest.fixture
def trail(tmp_path: Path) -> AuditTrail:
    return AuditTrail(tmp_path / "audit" / "edge-fea-audit.db", busy_timeout=1)


def fill(trail: AuditTrail, rows: int = 5) -> None:
    for number in range(rows):
        entry = AuditEntry("user:anna", "export", "done", "P07", NOON, format="csv", size=number)
        trail.append(entry, NOON + timedelta(minutes=number))


def tamper(trail: AuditTrail, *statements: str) -> None:
    """What somebody does who opens the file with sqlite3 and takes the triggers away."""
    with closing(sqlite3.connect(trail.path, isolation_level=None)) as db:
        for name in GUARDS:
            db.execute(f"DROP TRIGGER {name}")
        for statement in statements:
            db.execute(statement)
        for statement in GUARDS.values():
            db.execute(statement)


def found(trail: AuditTrail) -> str:
    return "; ".join(map(str, trail.faults()))


def test_rows_read_back_as_they_were_put_on_record_the_oldest_first(trail: AuditTrail) -> None:
    entry = AuditEntry(
        who="ssh:SHA256:abc",
        action="pack",
        outcome="done",
        start=NOON,
        end=NOON + timedelta(days=1),
        format="age",
        size=12,
        sha256="ab" * 32,
        note="why",
        ends=1,
    )
    trail.append(AuditEntry("ssh:SHA256:abc", "pack"), NOON)
    trail.append(entry, NOON)
    first, second = trail.rows()
    assert (first["seq"], first["outcome"], first["previous"]) == (1, "begun", FIRST)
    assert second | {"chain": "", "previous": ""} == {
        "seq": 2,
        "ends": 1,
        "at_utc": "2026-11-22T12:00:00.000Z",
        "who": "ssh:SHA256:abc",
        "action": "pack",
        "outcome": "done",
        "patient_refs": None,
        "from_utc": "2026-11-22T12:00:00.000Z",
        "to_utc": "2026-11-23T12:00:00.000Z",
        "format": "age",
        "bytes": 12,
        "sha256": "ab" * 32,
        "note": "why",
        "previous": "",
        "chain": "",
        "after_place": None,
        "to_place": None,
    }
    assert second["previous"] == first["chain"]


def test_a_trail_that_was_only_added_to_has_no_fault(trail: AuditTrail) -> None:
    fill(trail)
    assert trail.faults() == []


def test_pseudonyms_are_nowhere_in_the_file(trail: AuditTrail) -> None:
    trail.append(AuditEntry("user:a", "pack", patients=("Ward3-P0815", "Ward3-P0816")), NOON)
    trail.append(AuditEntry("user:a", "erase", patient="Ward3-P0815"), NOON)
    assert b"P081" not in trail.path.read_bytes()
    one, two = (row["patient_refs"].split() for row in trail.rows())
    assert (len(one), len(two)) == (2, 1)
    assert set(two) < set(one)


def test_references_of_two_devices_cannot_be_compared(trail: AuditTrail, tmp_path: Path) -> None:
    other = AuditTrail(tmp_path / "other.db", busy_timeout=1)
    rows = [each.append(AuditEntry("x", "pack", patient="P07"), NOON) for each in (trail, other)]
    assert rows[0]["patient_refs"] != rows[1]["patient_refs"]


def test_rows_about_a_patient_are_those_that_name_them_and_those_about_everybody(
    trail: AuditTrail,
) -> None:
    for patient in ("P07", "P08", None):
        trail.append(AuditEntry("user:a", "pack", patient=patient), NOON)
    trail.append(AuditEntry("user:a", "pack", patients=("P07", "P08")), NOON)
    assert [row["seq"] for row in trail.rows("P07")] == [1, 3, 4]
    assert [row["seq"] for row in trail.rows("P09")] == [3]


def test_without_a_row_there_is_no_trail_to_read(trail: AuditTrail) -> None:
    for ask in (trail.rows, trail.faults, lambda: trail.contains(FIRST)):
        with pytest.raises(NotFoundError, match="nothing has left this device"):
            ask()
    assert not trail.path.exists()


def test_fifty_processes_at_once_make_one_trail(trail: AuditTrail) -> None:
    """The first of them makes the file: none is lost, none is in it twice."""
    subprocess.run(
        [sys.executable, "-W", "ignore", "-c", FORKED, str(trail.path), "50"],
        cwd=Path(__file__).parents[2],
        check=True,
        timeout=200,
    )
    rows = trail.rows()
    assert [row["seq"] for row in rows] == list(range(1, 51))
    assert {row["who"] for row in rows} == {f"user:{number}" for number in range(50)}
    assert trail.faults() == []


def test_an_empty_file_from_a_power_cut_at_the_first_row_is_filled(trail: AuditTrail) -> None:
    trail.path.parent.mkdir()
    trail.path.touch()
    with pytest.raises(NotFoundError):
        trail.rows()
    fill(trail, 1)
    assert trail.faults() == []


def test_a_row_that_breaks_off_leaves_nothing(
    trail: AuditTrail, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither half a schema at the first row, nor half a row later."""

    def fail(_row: object) -> str:
        raise KeyboardInterrupt

    with monkeypatch.context() as broken:
        broken.setattr("edge_fea.store.audit._chain", fail)
        with pytest.raises(KeyboardInterrupt):
            fill(trail, 1)
    fill(trail, 2)
    assert ([row["seq"] for row in trail.rows()], trail.faults()) == ([1, 2], [])


def test_every_row_is_synced_and_so_is_the_end_of_its_journal(trail: AuditTrail) -> None:
    with trail._writing() as db:
        assert db.execute("PRAGMA journal_mode").fetchone() == ("truncate",)
        assert db.execute("PRAGMA synchronous").fetchone() == (2,)


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077])
@pytest.mark.parametrize(("folder", "file"), [(0o700, 0o600), (0o755, 0o600), (0o2770, 0o660)])
def test_only_whoever_may_write_in_the_folder_may_write_the_file(
    trail: AuditTrail, umask: int, folder: int, file: int
) -> None:
    trail.path.parent.mkdir()
    trail.path.parent.chmod(folder)
    before = os.umask(umask)
    try:
        fill(trail, 1)
    finally:
        os.umask(before)
    modes = {each.name: each.stat().st_mode & 0o777 for each in trail.path.parent.iterdir()}
    assert set(modes.values()) == {file}, modes


@pytest.mark.skipif(os.getuid() != 0, reason="needs root")
def test_what_root_makes_belongs_to_whom_the_folder_does(
    public_folder: Path, unprivileged: Callable[[], AbstractContextManager[None]]
) -> None:
    os.chown(public_folder, 65534, 65534)
    trail = AuditTrail(public_folder / "audit" / "a.db", busy_timeout=1)
    fill(trail, 1)
    with unprivileged():
        fill(trail, 1)
    assert len(trail.rows()) == 2


def test_where_no_row_can_be_written_it_says_so(
    public_folder: Path, unprivileged: Callable[[], AbstractContextManager[None]]
) -> None:
    public_folder.chmod(0o555)
    with unprivileged(), pytest.raises(StoreUnwritable):
        fill(AuditTrail(public_folder / "audit" / "a.db", busy_timeout=1), 1)


def test_whoever_may_not_enter_the_folder_is_told_so(
    public_folder: Path, unprivileged: Callable[[], AbstractContextManager[None]]
) -> None:
    trail = AuditTrail(public_folder / "audit" / "a.db", busy_timeout=1)
    fill(trail, 1)
    with unprivileged():
        with pytest.raises(StoreUnwritable):
            fill(trail, 1)
        for ask in (trail.rows, trail.faults):
            with pytest.raises(StoreError, match="cannot read the audit trail"):
                ask()


def test_a_trail_that_another_process_holds_is_busy(trail: AuditTrail) -> None:
    fill(trail, 1)
    impatient = AuditTrail(trail.path, busy_timeout=0.05)
    with closing(sqlite3.connect(trail.path, isolation_level=None)) as db:
        db.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreBusy):
            fill(impatient, 1)
    assert len(trail.rows()) == 1


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
        (["DELETE FROM audit WHERE seq = 3"], "row 4: row 3 is before it missing"),
        (["DELETE FROM audit WHERE seq IN (2, 3)"], "row 4: rows 2 to 3 are before it missing"),
        (["DELETE FROM audit WHERE seq = 1"], "row 2: row 1 is before it missing"),
        (["DELETE FROM audit WHERE seq = 5"], "row 5 is missing at the end"),
        (["DELETE FROM audit"], "rows 1 to 5 are missing at the end"),
        (["UPDATE audit SET bytes = 0 WHERE seq = 3"], "row 3: was changed after"),
        (["UPDATE audit SET patient_refs = NULL WHERE seq = 5"], "row 5: was changed after"),
        (
            [
                "UPDATE audit SET seq = seq + 1 WHERE seq = 5",
                "INSERT INTO audit SELECT 5, ends, at_utc, 'user:mallory', action, outcome, "
                "patient_refs, from_utc, to_utc, format, bytes, sha256, note, previous, chain, "
                "NULL, NULL FROM audit WHERE seq = 4",
            ],
            "row 5: does not follow from the row before it; row 5: was changed",
        ),
        (
            [
                "INSERT INTO audit SELECT 6, ends, at_utc, who, action, outcome, patient_refs, "
                "from_utc, to_utc, format, bytes, sha256, note, chain, chain, NULL, NULL "
                "FROM audit WHERE seq = 5"
            ],
            "row 6: was changed after it was written, or not written by edge-fea",
        ),
        (
            ["UPDATE audit SET to_place = 7 WHERE seq = 3"],
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
    assert found(trail) == "row 6: row 5 is before it missing"


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
        previous = forged["chain"] = _chain(forged)
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
