"""A patient is erased: also in the copies that lie beside the database."""

import os
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from edge_fea.store import erasure
from edge_fea.store.database import open_for_staff
from edge_fea.store.erasure import copies_of, rows_of
from edge_fea.store.traces import tables_of
from tests.store import erasure_factory
from tests.store.erasure_factory import GONE, erase, look, needles

recorded, path = erasure_factory.recorded, erasure_factory.path


def backup(path: Path, reason: str = "upgrade") -> Path:
    copy = path.with_name(f"{path.name}.before-{reason}-20261101T000000Z")
    with closing(sqlite3.connect(path)) as db:
        db.execute("VACUUM INTO ?", [str(copy)])
    return copy


@pytest.mark.parametrize("reason", ["upgrade", "restore"])
def test_in_backups_the_patient_is_erased_too_and_others_stay(path: Path, reason: str) -> None:
    copy = backup(path, reason)
    with closing(sqlite3.connect(copy)) as db:
        # Of an older schema.
        for table in ("seconds", "erasures", "baseline_resets"):
            db.execute(f"DROP TABLE {table}")
        others = db.execute("SELECT * FROM clips WHERE patient != ? ORDER BY 1", [GONE]).fetchall()
    traces = needles(copy)
    done = erase(path)
    assert done.copies.backups == (copy,)
    assert look(path.parent, traces).found == {}
    with closing(sqlite3.connect(copy)) as db:
        assert db.execute("SELECT * FROM clips ORDER BY 1").fetchall() == others
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_a_patient_who_is_only_in_a_backup_is_erased_there(path: Path) -> None:
    copy = backup(path)
    with open_for_staff(path, busy_timeout=1) as db, db.conn:
        for table, condition in tables_of(db.conn).items():
            db.conn.execute(f"DELETE FROM {table} WHERE {condition}", [GONE])
    assert erase(path).rows > 1000
    assert rows_of(copy, GONE, busy_timeout=1) == 0


def test_damaged_copies_are_deleted_with_their_journals(path: Path) -> None:
    names = ["damaged-20261101T000000Z", "damaged-20261101T000000Z-wal", "recovering", "restoring"]
    damaged = [path.with_name(f"{path.name}.{name}") for name in names]
    for each in damaged:
        each.write_bytes(path.read_bytes()[:100_000])
    done = erase(path)
    assert set(done.copies.damaged) == set(damaged)
    assert not any(each.exists() for each in damaged)


def test_a_backup_that_is_damaged_is_deleted(path: Path) -> None:
    copy = path.with_name(f"{path.name}.before-upgrade-20261101T000000Z")
    copy.write_bytes(b"garbage " * 1000)
    done = erase(path)
    assert done.copies == erasure.Copies((), (copy,))
    assert not copy.exists()


def test_content_is_overwritten_before_a_file_is_deleted(path: Path) -> None:
    damaged = path.with_name(f"{path.name}.damaged-1")
    damaged.write_bytes(b"secret" * 500_000)
    witness = path.with_name("witness")
    os.link(damaged, witness)
    erase(path)
    assert witness.read_bytes() == bytes(3_000_000)


def test_a_link_that_somebody_planted_is_not_followed(path: Path, tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("mine")
    planted = path.with_name(f"{path.name}.damaged-1")
    planted.symlink_to(victim)
    erase(path)
    assert victim.read_text() == "mine"
    assert not planted.is_symlink()


def test_copies_of_other_databases_are_left_alone(path: Path) -> None:
    other = path.with_name("study.db.damaged-1")
    other.write_bytes(b"not mine")
    assert copies_of(path) == erasure.Copies((), ())
    erase(path)
    assert other.exists()
