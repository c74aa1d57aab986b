"""backup and restore: a copy on a second disk, and the way back."""

from pathlib import Path

import pytest

from edge_fea.clinic.handover import on_record
from edge_fea.device.backup import BEFORE_UPGRADE, backups_in
from edge_fea.store.anchor import move_anchor
from edge_fea.store.audit import AuditEntry, AuditTrail
from edge_fea.store.clips import ClipFilter, ClipReader, ClipRecorder
from tests.cli.conftest import Run
from tests.conftest import NOON, FakeClock
from tests.store.clip_factory import make_clip

ID = "efea-test"


@pytest.fixture(autouse=True)
def device(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDGE_FEA_DEVICE__ID", ID)


@pytest.fixture
def stick(tmp_path: Path) -> Path:
    (tmp_path / "stick").mkdir()
    return tmp_path / "stick"


def trail_of(database: Path) -> AuditTrail:
    return AuditTrail(database.parent / "audit" / f"{database.stem}-audit.db", busy_timeout=1)


def count(database: Path) -> int:
    with ClipReader(database, busy_timeout=1) as reader:
        return reader.count(ClipFilter(running=True))


def test_a_backup_says_what_it_holds_and_where(run: Run, database: Path, stick: Path) -> None:
    done = run("--database", database, "backup", "--to", stick)
    assert done.exit_code == 0, done.stderr
    (path,) = backups_in(stick, ID)
    assert done.stdout.startswith(f"{path}: 4 clips, ")
    assert done.stdout.endswith("MB, checked\n")


def test_the_same_disk_is_warned_of(run: Run, database: Path, stick: Path) -> None:
    done = run("--database", database, "backup", "--to", stick)
    assert "is on the same disk as the database" in done.stderr


def test_one_before_an_upgrade_is_noted_as_such(run: Run, database: Path, stick: Path) -> None:
    run("--database", database, "backup", "--to", stick)
    run("--database", database, "backup", "--to", stick, "--before-upgrade")
    ended = [row["note"] for row in trail_of(database).rows() if row["outcome"] == "done"]
    assert ended == ["on the same disk", BEFORE_UPGRADE]


def test_folder_and_number_come_from_the_settings(
    run: Run, database: Path, stick: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EDGE_FEA_BACKUP__FOLDER", str(stick))
    monkeypatch.setenv("EDGE_FEA_BACKUP__KEEP", "2")
    for _ in range(3):
        assert run("--database", database, "backup").exit_code == 0
    assert len(backups_in(stick, ID)) == 2
    assert "removed" in run("--database", database, "backup", "--keep", 1).stdout
    assert len(backups_in(stick, ID)) == 1


def test_without_a_folder_it_asks_for_one(run: Run, database: Path) -> None:
    done = run("--database", database, "backup")
    assert (done.exit_code, done.stderr.strip()) == (
        78,
        "edge-fea: backup.folder is not set: set it, or give --to FOLDER",
    )


def test_a_backup_is_on_record(run: Run, database: Path, stick: Path) -> None:
    run("--database", database, "backup", "--to", stick)
    run("--database", database, "backup", "--to", stick / "gone")
    rows = trail_of(database).rows()
    assert [(row["action"], row["outcome"]) for row in rows] == [
        ("backup", "begun"),
        ("backup", "done"),
        ("backup", "begun"),
        ("backup", "failed"),
    ]
    assert rows[1]["sha256"]


def test_without_a_database_there_is_nothing_to_back_up(
    run: Run, tmp_path: Path, stick: Path
) -> None:
    done = run("--database", tmp_path / "none.db", "backup", "--to", stick)
    assert done.exit_code == 66


def test_a_backup_comes_back(run: Run, database: Path, stick: Path) -> None:
    run("--database", database, "backup", "--to", stick)
    with ClipRecorder(database, busy_timeout=1, now=NOON) as recorder:
        recorder.save(make_clip(30))
    (path,) = backups_in(stick, ID)
    done = run("--database", database, "restore", "--yes", path)
    assert done.exit_code == 0, done.stderr
    assert "4 clips of efea-test, made 20" in done.stdout
    assert "the former database is" in done.stdout
    assert count(database) == 4
    assert trail_of(database).rows()[-1]["action"] == "restore"


def test_a_backup_of_another_trail_leaves_an_audit_that_can_be_verified(
    run: Run, database: Path, stick: Path
) -> None:
    run("--database", database, "backup", "--to", stick)
    trail = trail_of(database)
    with ClipRecorder(database, busy_timeout=1, now=NOON) as recorder:
        move_anchor(recorder.opened.db, database, trail)
    run("--database", database, "backup", "--to", stick)
    trail.path.unlink()
    trail.append(AuditEntry("user:anna", "export"), NOON)
    done = run("--database", database, "restore", "--yes", backups_in(stick, ID)[-1])
    assert done.exit_code == 0, done.stderr
    assert "now it remembers row 1" in trail.rows()[-1]["note"]
    assert run("--database", database, "audit", "--verify").exit_code == 0


def test_restore_asks_first(run: Run, database: Path, stick: Path) -> None:
    run("--database", database, "backup", "--to", stick)
    (path,) = backups_in(stick, ID)
    done = run("--database", database, "restore", path)
    assert done.exit_code == 1
    assert f"Put it in the place of {database}?" in done.stdout


def test_restore_while_the_device_records_is_refused(run: Run, database: Path, stick: Path) -> None:
    run("--database", database, "backup", "--to", stick)
    (path,) = backups_in(stick, ID)
    with ClipRecorder(database, busy_timeout=1, now=NOON):
        assert run("--database", database, "restore", "--yes", path).exit_code == 75


def test_what_is_no_backup_is_refused(run: Run, database: Path, stick: Path) -> None:
    assert run("--database", database, "restore", "--yes", stick).exit_code == 66


def test_whoever_was_erased_since_is_named(run: Run, database: Path, stick: Path) -> None:
    run("--database", database, "backup", "--to", stick)
    clock = FakeClock(wall=NOON.replace(year=2099))
    with on_record(trail_of(database), AuditEntry("user:me", "erase", patient="P08"), clock):
        pass
    (path,) = backups_in(stick, ID)
    done = run("--database", database, "restore", "--yes", path)
    assert "patient P08 was erased after this backup was made, and is back" in done.stderr
    assert "P07" not in done.stderr
