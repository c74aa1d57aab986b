"""One process records, and a database of another version is migrated or refused, never harmed."""

import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import sqlite_utils
from sqlite_utils import Migrations

from edge_fea.errors import NotFoundError, SchemaTooNew, StoreBusy, StoreError
from edge_fea.store import schema
from edge_fea.store.clips import ClipReader, ClipRecorder
from edge_fea.store.rows import row_of
from tests.conftest import NOON
from tests.store.clip_factory import make_clip

HOLDER = """
import sys, time
from pathlib import Path
from edge_fea.store.clips import ClipRecorder
from tests.conftest import NOON
from tests.store.clip_factory import make_clip
recorder = ClipRecorder(Path(sys.argv[1]), busy_timeout=1, now=NOON)
recorder.save(make_clip(ended_by=None))
print("recording", flush=True)
time.sleep(60)
"""


@pytest.fixture
def other_recorder(path: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that records into the same database and has a clip running."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(path)],
        cwd=Path(__file__).parents[2],
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        assert process.stdout is not None
        assert process.stdout.readline() == "recording\n"
        yield process
        process.kill()


def test_a_second_recorder_in_the_same_process_is_refused(
    recorder: ClipRecorder, path: Path
) -> None:
    with pytest.raises(StoreBusy, match=f"another edge-fea is recording into {path}"):
        ClipRecorder(path, busy_timeout=1, now=NOON)


def test_a_recorder_that_is_refused_leaves_the_running_clip_alone(
    other_recorder: subprocess.Popen[str], path: Path
) -> None:
    with pytest.raises(StoreBusy):
        ClipRecorder(path, busy_timeout=1, now=NOON)
    with ClipReader(path, busy_timeout=1) as reader:
        assert reader.clip("last")["ended_by"] is None


def test_after_kill_9_the_next_recorder_starts_and_closes_the_clip(
    other_recorder: subprocess.Popen[str], path: Path
) -> None:
    other_recorder.send_signal(signal.SIGKILL)
    other_recorder.wait(10)
    with ClipRecorder(path, busy_timeout=1, now=NOON) as recorder:
        assert len(recorder.closed_after_power_loss) == 1
        assert recorder.opened.rescue is None


def test_a_closed_recorder_lets_the_next_one_in(path: Path) -> None:
    for _ in range(2):
        with ClipRecorder(path, busy_timeout=1, now=NOON):
            pass


def test_recorders_of_two_databases_do_not_disturb_each_other(tmp_path: Path) -> None:
    with (
        ClipRecorder(tmp_path / "a.db", busy_timeout=1, now=NOON),
        ClipRecorder(tmp_path / "b.db", busy_timeout=1, now=NOON),
    ):
        pass


def present_steps() -> Migrations:
    """A set of steps of one's own, that begins with all those there are."""
    steps = Migrations("edge_fea")
    for step in schema.migrations._migrations:
        steps(name=step.name, transactional=step.transactional)(step.fn)
    return steps


@pytest.fixture
def newer(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Makes this edge-fea one with a step more, as an upgrade would."""

    def upgrade() -> None:
        steps = present_steps()

        @steps(name="9999_note")
        def add_note(db: sqlite_utils.Database) -> None:
            db.table("clips").add_column("note", str)

        monkeypatch.setattr(schema, "migrations", steps)
        monkeypatch.setattr("edge_fea.store.database.migrations", steps)

    return upgrade


@pytest.fixture
def old_database(path: Path) -> Path:
    with ClipRecorder(path, busy_timeout=1, now=NOON) as recorder:
        recorder.save(make_clip(0))
        recorder.save(make_clip(5, ended_by=None))
    return path


def test_an_older_schema_is_migrated_and_keeps_its_rows(
    old_database: Path, newer: Callable[[], None]
) -> None:
    newer()
    with ClipRecorder(old_database, busy_timeout=1, now=NOON) as recorder:
        rows = list(recorder.opened.db.table("clips").rows)
    assert [row.pop("note") for row in rows] == [None, None]
    assert rows[0] == row_of(make_clip(0))


def test_clips_of_an_older_schema_get_places_in_the_order_in_which_they_were_recorded(
    path: Path,
) -> None:
    with ClipRecorder(path, busy_timeout=1, now=NOON) as recorder:
        for minutes in (5, 0, 10):
            recorder.save(make_clip(minutes))
        recorder.opened.db.conn.execute("DROP TRIGGER clips_in_order")
        recorder.opened.db.conn.execute("DROP TABLE clip_order")
        recorder.opened.db.conn.execute(
            "DELETE FROM _sqlite_migrations WHERE name = '0007_clip_order'"
        )
        recorder.opened.db.conn.commit()
    with ClipRecorder(path, busy_timeout=1, now=NOON) as recorder:
        recorder.save(make_clip(-60))
        rows = recorder.opened.db.query("SELECT clip_id FROM clip_order ORDER BY place")
        ids = [row["clip_id"] for row in rows]
    assert ids == [make_clip(minutes).clip_id for minutes in (5, 0, 10, -60)]


def test_before_a_migration_a_complete_backup_is_made(
    old_database: Path, newer: Callable[[], None]
) -> None:
    newer()
    with ClipRecorder(old_database, busy_timeout=1, now=NOON) as recorder:
        backup = recorder.opened.backup
    assert backup == old_database.with_name("edge-fea.db.before-upgrade-20261122T120000Z")
    connection = sqlite3.connect(backup)
    assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    assert "note" not in str(connection.execute("SELECT sql FROM sqlite_master").fetchall())
    connection.close()
    kept = sqlite_utils.Database(backup)
    assert list(kept.table("clips").rows) == [
        row_of(make_clip(0)),
        row_of(make_clip(5, ended_by=None)),
    ]
    kept.close()


def test_an_older_schema_is_not_read_before_the_recorder_has_migrated_it(
    old_database: Path, newer: Callable[[], None]
) -> None:
    newer()
    with pytest.raises(StoreError, match="of an older edge-fea: start the service first"):
        ClipReader(old_database, busy_timeout=1)


def test_a_schema_that_is_up_to_date_is_not_backed_up(old_database: Path) -> None:
    with ClipRecorder(old_database, busy_timeout=1, now=NOON) as recorder:
        assert recorder.opened.backup is None


def test_a_second_migration_at_the_same_wall_time_keeps_the_first_backup(
    old_database: Path, newer: Callable[[], None]
) -> None:
    # A Pi has no battery clock: it can start at the same moment twice.
    first = old_database.with_name("edge-fea.db.before-upgrade-20261122T120000Z")
    first.write_text("a former backup")
    newer()
    with ClipRecorder(old_database, busy_timeout=1, now=NOON) as recorder:
        assert recorder.opened.backup not in (None, first)
    assert first.read_text() == "a former backup"


def test_a_migration_that_fails_changes_nothing(
    old_database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps = present_steps()

    @steps(name="9999_broken")
    def broken(db: sqlite_utils.Database) -> None:
        db.table("clips").add_column("note", str)
        raise ZeroDivisionError

    with monkeypatch.context() as patch:
        patch.setattr(schema, "migrations", steps)
        patch.setattr("edge_fea.store.database.migrations", steps)
        with pytest.raises(ZeroDivisionError):
            ClipRecorder(old_database, busy_timeout=1, now=NOON)
    with ClipRecorder(old_database, busy_timeout=1, now=NOON) as recorder:
        assert "note" not in recorder.opened.db.table("clips").columns_dict


@pytest.mark.parametrize(
    "open_it",
    [
        lambda path: ClipRecorder(path, busy_timeout=1, now=NOON),
        lambda path: ClipReader(path, busy_timeout=1),
    ],
    ids=["recording", "reading"],
)
def test_a_newer_schema_is_refused_by_the_name_of_its_step(
    path: Path,
    newer: Callable[[], None],
    monkeypatch: pytest.MonkeyPatch,
    open_it: Callable[[Path], object],
) -> None:
    newer()
    with ClipRecorder(path, busy_timeout=1, now=NOON) as recorder:
        recorder.save(make_clip())
    before = path.read_bytes()
    monkeypatch.undo()
    with pytest.raises(SchemaTooNew, match=r"newer edge-fea \(step 9999_note\): upgrade this one"):
        open_it(path)
    assert path.read_bytes() == before


def test_a_refused_database_is_not_kept_locked(
    path: Path, newer: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    newer()
    ClipRecorder(path, busy_timeout=1, now=NOON).close()
    with monkeypatch.context() as old:
        old.setattr("edge_fea.store.database.known", lambda: {"0001_clips"})
        with pytest.raises(SchemaTooNew):
            ClipRecorder(path, busy_timeout=1, now=NOON)
    ClipRecorder(path, busy_timeout=1, now=NOON).close()


def test_a_lock_file_alone_is_no_database(tmp_path: Path) -> None:
    (tmp_path / "edge-fea.db.lock").touch()
    with pytest.raises(NotFoundError):
        ClipReader(tmp_path / "edge-fea.db", busy_timeout=1)
