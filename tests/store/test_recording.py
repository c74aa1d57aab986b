"""Clips are written: one row each, whole, and nulls where nothing was measured."""

import sqlite3
from pathlib import Path

import pytest

from edge_fea.emotions import LABELS
from edge_fea.errors import StoreError
from edge_fea.store.clips import ClipFilter, ClipReader, ClipRecorder
from edge_fea.store.rows import Row, row_of
from edge_fea.summary.record import EndedBy
from edge_fea.vision.observation import Outcome
from tests.conftest import NOON
from tests.store.clip_factory import make_clip

SCORES = (
    "dominant",
    "margin",
    *(f"{figure}_{label}" for figure in ("mean", "sd") for label in LABELS),
)


def rows(path: Path) -> list[Row]:
    with ClipReader(path, busy_timeout=1) as reader:
        return list(reader.clips(ClipFilter(running=True)))


def test_a_clip_is_one_row(recorder: ClipRecorder, path: Path) -> None:
    recorder.save(make_clip())
    assert len(rows(path)) == 1


def test_a_clip_saved_again_is_still_one_row_with_the_later_figures(
    recorder: ClipRecorder, path: Path
) -> None:
    recorder.save(make_clip(seen=30, missed=0, ended_by=None))
    recorder.save(make_clip())
    (row,) = rows(path)
    assert (row["ended_by"], row["frames_due"]) == ("full", 300)


def test_a_row_reads_back_as_it_was_written(recorder: ClipRecorder, path: Path) -> None:
    clip = make_clip()
    recorder.save(clip)
    assert rows(path) == [row_of(clip)]


def test_frames_by_outcome_add_up_to_the_frames_due(recorder: ClipRecorder, path: Path) -> None:
    recorder.save(make_clip(seen=200, missed=100))
    (row,) = rows(path)
    assert sum(row[f"frames_{outcome}"] for outcome in Outcome) == row["frames_due"] == 300
    assert (row["frames_valid"], row["frames_no_face"], row["frames_paused"]) == (200, 100, 0)


def test_the_means_of_a_sufficient_clip_add_up_to_one(recorder: ClipRecorder, path: Path) -> None:
    recorder.save(make_clip(label="sad"))
    (row,) = rows(path)
    assert sum(row[f"mean_{label}"] for label in LABELS) == pytest.approx(1)
    assert (row["dominant"], row["mean_sad"]) == ("sad", pytest.approx(0.7))


def test_an_insufficient_clip_keeps_its_coverage_and_has_null_scores(
    recorder: ClipRecorder, path: Path
) -> None:
    recorder.save(make_clip(seen=59, missed=241))
    (row,) = rows(path)
    assert (row["sufficient"], row["valid_seconds"]) == (0, 59)
    assert row["coverage"] == pytest.approx(59 / 300)
    assert {name: row[name] for name in SCORES} == dict.fromkeys(SCORES)


def test_a_sufficient_clip_that_becomes_insufficient_loses_its_scores(
    recorder: ClipRecorder, path: Path
) -> None:
    recorder.save(make_clip(seen=80, missed=0, ended_by=None))
    assert rows(path)[0]["dominant"] == "happy"
    recorder.save(make_clip(seen=80, missed=220))
    assert {rows(path)[0][name] for name in SCORES} == {None}


@pytest.mark.parametrize(("known", "stored"), [(True, 1), (False, 0), (None, None)])
def test_whether_the_clock_was_right_may_be_unknown(
    recorder: ClipRecorder, path: Path, known: bool | None, stored: int | None
) -> None:
    recorder.save(make_clip(synchronized=known))
    assert rows(path)[0]["clock_synchronized"] == stored


def test_a_clip_is_in_the_database_as_soon_as_it_is_saved(
    recorder: ClipRecorder, path: Path
) -> None:
    recorder.save(make_clip())
    assert not recorder.opened.db.conn.in_transaction
    copy = path.with_name("pulled-plug.db")
    copy.write_bytes(path.read_bytes())
    copy.with_name(copy.name + "-wal").write_bytes(Path(f"{path}-wal").read_bytes())
    assert len(rows(copy)) == 1


def test_the_database_is_in_wal_mode_and_syncs_every_commit(recorder: ClipRecorder) -> None:
    connection = recorder.opened.db.conn
    assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert connection.execute("PRAGMA synchronous").fetchone() == (2,)


def test_pragmas_hold_when_an_existing_database_is_opened(path: Path) -> None:
    for _ in range(2):
        with ClipRecorder(path, busy_timeout=2.5, now=NOON) as recorder:
            connection = recorder.opened.db.conn
            assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
            assert connection.execute("PRAGMA synchronous").fetchone() == (2,)
            assert connection.execute("PRAGMA busy_timeout").fetchone() == (2500,)


def test_the_table_is_strict_about_types(recorder: ClipRecorder) -> None:
    with pytest.raises(sqlite3.IntegrityError):
        recorder.opened.db.execute("INSERT INTO clips (clip_id, frames_due) VALUES ('x', 'many')")
    recorder.opened.db.conn.rollback()


def test_a_row_without_its_counts_is_refused(recorder: ClipRecorder, path: Path) -> None:
    with pytest.raises(sqlite3.IntegrityError):
        recorder.opened.db.table("clips").insert({"clip_id": "x", "start_utc": "2026"})
    assert rows(path) == []


def test_after_a_power_loss_the_running_clip_is_closed_as_such(path: Path) -> None:
    left = make_clip(5, ended_by=None)
    with ClipRecorder(path, busy_timeout=1, now=NOON) as recorder:
        recorder.save(left)
    with ClipRecorder(path, busy_timeout=1, now=NOON) as recorder:
        assert recorder.closed_after_power_loss == [left.clip_id]
    assert rows(path) == [{**row_of(left), "ended_by": "power_loss"}]


def test_closing_after_a_power_loss_touches_no_other_row(path: Path) -> None:
    kept = [make_clip(0), make_clip(5, ended_by=EndedBy.STOP), make_clip(10, seen=0, missed=9)]
    with ClipRecorder(path, busy_timeout=1, now=NOON) as recorder:
        for clip in [*kept, make_clip(15, ended_by=None)]:
            recorder.save(clip)
    with ClipRecorder(path, busy_timeout=1, now=NOON):
        assert rows(path)[:3] == [row_of(clip) for clip in kept]


def test_without_a_power_loss_nothing_is_closed(path: Path) -> None:
    with ClipRecorder(path, busy_timeout=1, now=NOON) as recorder:
        recorder.save(make_clip())
    with ClipRecorder(path, busy_timeout=1, now=NOON) as recorder:
        assert recorder.closed_after_power_loss == []


def test_a_first_start_has_nothing_to_mend(recorder: ClipRecorder) -> None:
    assert (recorder.opened.rescue, recorder.opened.backup) == (None, None)
    assert recorder.closed_after_power_loss == []


def test_a_closed_recorder_takes_no_more_clips(path: Path) -> None:
    with ClipRecorder(path, busy_timeout=1, now=NOON) as recorder:
        pass
    with pytest.raises(StoreError):
        recorder.save(make_clip())
