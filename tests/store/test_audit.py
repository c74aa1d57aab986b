"""The audit trail: rows are only added, read back whole, and whose they are."""

import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager, closing
from datetime import timedelta
from pathlib import Path

import pytest

from edge_fea.errors import (
    NotFoundError,
    StoreBusy,
    StoreError,
    StoreUnwritable,
)
from edge_fea.store.audit import AuditEntry, AuditTrail
from edge_fea.store.audit_schema import FIRST
from tests.conftest import NOON
from tests.store.audit_factory import fill, trail

__all__ = ["trail"]

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
        "readers": None,
        "file": None,
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
        broken.setattr("edge_fea.store.audit.chain", fail)
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
