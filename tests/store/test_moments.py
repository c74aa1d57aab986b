"""Clips from before the clock was set: flagged, corrected beside what was recorded, and found."""

import sqlite3
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from edge_fea.capture.clock import UNKNOWN_BOOT, iso
from edge_fea.errors import StoreError
from edge_fea.store import moments
from edge_fea.store.clips import ClipFilter, ClipReader, ClipRecorder
from edge_fea.store.database import writing
from edge_fea.store.moments import HAPPENED, Moments, happened, is_doubtful
from edge_fea.store.rows import Row, row_of
from edge_fea.summary.record import ClipSummary
from tests.conftest import NOON, FakeClock
from tests.store.clip_factory import START, make_clip

HERE, BEFORE = "boot-2", "boot-1"
# A Pi that was off for months: it believes to be in November, and it is July.
JULY = datetime(2027, 7, 1, 9, 0, tzinfo=UTC)


def clip(
    minutes: float = 0.0, *, boot: str | None = HERE, right: bool | None = False, **more: object
) -> ClipSummary:
    """A clip that began ``minutes`` after boot."""
    made = make_clip(minutes, synchronized=right, **more)  # type: ignore[arg-type]
    return replace(made, recording=replace(made.recording, boot_id=boot))


def rows(path: Path, wanted: ClipFilter | None = None) -> list[Row]:
    with ClipReader(path, busy_timeout=1) as reader:
        return list(reader.clips(wanted or ClipFilter(running=True)))


def test_clips_are_corrected_once_the_clock_is_set(recorder: ClipRecorder, path: Path) -> None:
    recorder.save(clip(0))
    recorder.save(clip(5))
    recorder.synchronized(HERE, JULY)
    recorder.save(clip(10))
    assert [row["corrected_start_utc"] for row in rows(path)] == [
        iso(JULY + timedelta(minutes=minutes)) for minutes in (0, 5, 10)
    ]


def test_what_was_recorded_stays(recorder: ClipRecorder, path: Path) -> None:
    recorder.save(clip(0))
    recorder.synchronized(HERE, JULY)
    recorder.save(clip(5))
    first = rows(path)[0]
    assert first | {"corrected_start_utc": None, "corrected_utc_offset": None} == row_of(clip(0))


def test_the_offset_is_that_of_the_day_it_really_was(recorder: ClipRecorder, path: Path) -> None:
    recorder.synchronized(HERE, JULY)
    recorder.save(clip(0))
    (row,) = rows(path)
    assert (row["utc_offset"], row["corrected_utc_offset"]) == ("+01:00", "+02:00")
    assert happened(row).isoformat() == "2027-07-01T11:00:00+02:00"


def test_a_clip_that_is_not_corrected_happened_when_it_was_recorded() -> None:
    assert happened(row_of(clip())) == START.replace(microsecond=123_000)


def test_clips_of_another_boot_are_left_as_they_are(recorder: ClipRecorder, path: Path) -> None:
    recorder.save(clip(0, boot=BEFORE))
    recorder.synchronized(HERE, JULY)
    recorder.save(clip(5))
    assert [row["corrected_start_utc"] is None for row in rows(path)] == [True, False]


def test_a_clip_begun_by_a_right_clock_is_not_corrected(recorder: ClipRecorder, path: Path) -> None:
    recorder.synchronized(HERE, START)
    recorder.save(clip(5, right=True))
    assert rows(path)[0]["corrected_start_utc"] is None


def test_a_clip_whose_clock_was_set_between_its_frame_and_the_question_is_corrected(
    recorder: ClipRecorder, path: Path
) -> None:
    recorder.synchronized(HERE, JULY)
    recorder.save(clip(5, right=True))
    assert rows(path)[0]["corrected_start_utc"] == iso(JULY + timedelta(minutes=5))


def test_a_recorded_file_is_never_corrected(recorder: ClipRecorder, path: Path) -> None:
    recorder.synchronized(HERE, JULY)
    recorder.save(clip(0, boot=None, right=None))
    assert rows(path)[0]["corrected_start_utc"] is None


def test_the_running_clip_stays_corrected_at_its_next_checkpoint(
    recorder: ClipRecorder, path: Path
) -> None:
    recorder.save(clip(0, ended_by=None, seen=30))
    recorder.synchronized(HERE, JULY)
    recorder.save(clip(0, ended_by=None, seen=60))
    recorder.save(clip(0))
    (row,) = rows(path)
    assert (row["corrected_start_utc"], row["ended_by"]) == (iso(JULY), "full")


def test_a_process_that_starts_after_the_clock_was_set_corrects_clips_of_those_before_it(
    path: Path,
) -> None:
    with ClipRecorder(path, busy_timeout=1, now=NOON) as first:
        first.save(clip(0))
    with ClipRecorder(path, busy_timeout=1, now=NOON) as second:
        second.synchronized(HERE, JULY)
        second.save(clip(5, right=True))
    assert rows(path)[0]["corrected_start_utc"] == iso(JULY)


def test_months_of_clips_are_corrected_a_part_at_each_checkpoint(
    recorder: ClipRecorder, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(moments, "_MOST_AT_ONCE", 2)
    for minutes in range(0, 25, 5):
        recorder.save(clip(minutes))
    recorder.synchronized(HERE, JULY)
    left = []
    for _ in range(3):
        recorder.save(clip(25, ended_by=None))
        left.append(sum(row["corrected_start_utc"] is None for row in rows(path)))
    assert left == [3, 1, 0]


def test_a_boot_without_an_id_is_nobodys(recorder: ClipRecorder, path: Path) -> None:
    recorder.synchronized(UNKNOWN_BOOT, JULY)
    recorder.save(clip(0, boot=UNKNOWN_BOOT))
    assert rows(path)[0]["corrected_start_utc"] is None


def test_clips_are_found_and_ordered_by_when_they_really_happened(
    recorder: ClipRecorder, path: Path
) -> None:
    recorder.save(clip(600, boot=BEFORE))
    recorder.save(clip(0))
    recorder.synchronized(HERE, START - timedelta(days=2))
    recorder.save(clip(5))
    assert [row["boot_id"] for row in rows(path)] == [HERE, HERE, BEFORE]
    early = rows(path, ClipFilter(end=START - timedelta(days=1)))
    assert [row["boot_id"] for row in early] == [HERE, HERE]
    assert len(rows(path, ClipFilter(start=START))) == 1


@pytest.mark.parametrize("condition", ["", "patient = 'P07' AND "])
def test_looking_for_a_time_uses_an_index(
    recorder: ClipRecorder, path: Path, condition: str
) -> None:
    connection = sqlite3.connect(path)
    plan = connection.execute(
        f"EXPLAIN QUERY PLAN SELECT * FROM clips WHERE {condition}{HAPPENED} >= '2026' "
        f"ORDER BY {HAPPENED}"
    ).fetchall()
    connection.close()
    assert "happened" in str(plan)
    assert "TEMP B-TREE" not in str(plan)


def test_the_clips_to_correct_are_found_without_reading_all(path: Path) -> None:
    with ClipRecorder(path, busy_timeout=1, now=NOON):
        connection = sqlite3.connect(path)
        plan = connection.execute(
            "EXPLAIN QUERY PLAN SELECT * FROM clips WHERE boot_id = 'x' "
            "AND clock_synchronized = 0 AND corrected_start_utc IS NULL LIMIT 5"
        ).fetchall()
        connection.close()
    assert "idx_clips_doubtful" in str(plan)


@pytest.mark.parametrize(
    ("right", "corrected", "doubtful"),
    [(True, None, False), (None, None, False), (False, None, True), (False, "2027", False)],
)
def test_a_clip_is_doubtful_until_its_time_is_known(
    right: bool | None, corrected: str | None, doubtful: bool
) -> None:
    assert is_doubtful(row_of(clip(right=right)) | {"corrected_start_utc": corrected}) is doubtful


def test_a_persons_word_corrects_this_boots_clips(
    recorder: ClipRecorder, path: Path, clock: FakeClock
) -> None:
    recorder.save(clip(0))
    words = Moments(recorder.opened.db)
    with writing(recorder.opened.db):
        words.check(HERE, clock)
    assert words.zero(HERE) == NOON - timedelta(seconds=1000)
    recorder.save(clip(5))
    assert [happened(row) for row in rows(path)] == [
        NOON - timedelta(seconds=1000) + timedelta(minutes=minutes) for minutes in (0, 5)
    ]


def test_a_second_word_takes_the_place_of_the_first(
    recorder: ClipRecorder, path: Path, clock: FakeClock
) -> None:
    recorder.save(clip(0))
    words = Moments(recorder.opened.db)
    with writing(recorder.opened.db):
        words.check(HERE, clock)
    with writing(recorder.opened.db):
        assert words.catch_up(HERE) == 1
    clock.wall = JULY + timedelta(seconds=1000)
    with writing(recorder.opened.db):
        words.check(HERE, clock)
    assert words.doubtful(HERE) == 1
    with writing(recorder.opened.db):
        words.catch_up(HERE)
    assert rows(path)[0]["corrected_start_utc"] == iso(JULY)
    assert words.doubtful() == 0


def test_the_networks_word_goes_above_a_persons(
    recorder: ClipRecorder, path: Path, clock: FakeClock
) -> None:
    with writing(recorder.opened.db):
        Moments(recorder.opened.db).check(HERE, clock)
    recorder.synchronized(HERE, JULY)
    recorder.save(clip(0))
    assert rows(path)[0]["corrected_start_utc"] == iso(JULY)


def test_nobody_can_speak_for_a_boot_without_an_id(
    recorder: ClipRecorder, clock: FakeClock
) -> None:
    with pytest.raises(StoreError, match="which boot"):
        Moments(recorder.opened.db).check(UNKNOWN_BOOT, clock)


def test_the_last_moment_known_is_the_end_of_the_last_clip_of_another_boot(
    recorder: ClipRecorder,
) -> None:
    assert recorder.last_known(HERE) is None
    recorder.save(clip(0, boot=BEFORE))
    recorder.save(clip(100, boot=HERE))
    recorder.save(clip(200, boot=None, right=None))
    assert recorder.last_known(HERE) == START + timedelta(seconds=300)


def test_a_clock_that_once_ran_ahead_does_not_hold_for_ever(recorder: ClipRecorder) -> None:
    recorder.save(clip(10**6, boot="ahead"))
    recorder.save(clip(0, boot=BEFORE))
    assert recorder.last_known(HERE) == START + timedelta(seconds=300)


def test_the_last_moment_known_is_the_corrected_one(recorder: ClipRecorder) -> None:
    recorder.synchronized(BEFORE, JULY)
    recorder.save(clip(0, boot=BEFORE))
    assert recorder.last_known(HERE) == JULY + timedelta(seconds=300)
