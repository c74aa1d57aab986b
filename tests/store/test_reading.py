"""Clips are read: which, in what order, by what name, and without touching anything."""

from datetime import timedelta
from pathlib import Path

import pytest

from edge_fea.errors import NotFoundError
from edge_fea.store.clips import ClipFilter, ClipReader, ClipRecorder
from edge_fea.summary.record import ClipSummary
from tests.conftest import NOON
from tests.store.clip_factory import START, make_clip

CLIPS = (
    make_clip(0),
    make_clip(5, patient="P08"),
    make_clip(10, seen=10, missed=290),
    make_clip(15, ended_by=None),
)


@pytest.fixture
def reader(path: Path) -> ClipReader:
    with ClipRecorder(path, busy_timeout=1, now=NOON) as recorder:
        for clip in reversed(CLIPS):
            recorder.save(clip)
    with ClipReader(path, busy_timeout=1) as opened:
        yield opened


def ids(*clips: ClipSummary) -> list[str]:
    return [clip.clip_id for clip in clips]


@pytest.mark.parametrize(
    ("wanted", "places"),
    [
        (ClipFilter(), [0, 1, 2]),
        (ClipFilter(running=True), [0, 1, 2, 3]),
        (ClipFilter(start=START + timedelta(minutes=5)), [1, 2]),
        (ClipFilter(start=START + timedelta(minutes=5, milliseconds=1)), [2]),
        (ClipFilter(end=START + timedelta(minutes=10)), [0, 1]),
        (ClipFilter(end=START + timedelta(minutes=10, milliseconds=1)), [0, 1, 2]),
        (ClipFilter(patient="P08"), [1]),
        (ClipFilter(patient="P0"), []),
        (ClipFilter(sufficient=True), [0, 1]),
        (ClipFilter(sufficient=False), [2]),
        (ClipFilter(start=START, end=START + timedelta(minutes=9), patient="P07"), [0]),
        (ClipFilter(sufficient=True, patient="P07", running=True), [0, 3]),
    ],
)
def test_only_the_wanted_clips_are_read_by_start(
    reader: ClipReader, wanted: ClipFilter, places: list[int]
) -> None:
    found = [row["clip_id"] for row in reader.clips(wanted)]
    assert found == ids(*(CLIPS[place] for place in places))


@pytest.mark.parametrize(("limit", "places"), [(1, [2]), (2, [1, 2]), (9, [0, 1, 2])])
def test_a_limit_takes_the_latest_and_keeps_the_order(
    reader: ClipReader, limit: int, places: list[int]
) -> None:
    found = [row["clip_id"] for row in reader.clips(ClipFilter(), limit)]
    assert found == ids(*(CLIPS[place] for place in places))


def test_a_clip_is_found_by_its_whole_id(reader: ClipReader) -> None:
    assert reader.clip(CLIPS[1].clip_id)["patient"] == "P08"


def test_a_clip_is_found_by_the_beginning_of_its_id(reader: ClipReader) -> None:
    name = next(
        CLIPS[1].clip_id[:length]
        for length in range(1, 36)
        if sum(clip.clip_id.startswith(CLIPS[1].clip_id[:length]) for clip in CLIPS) == 1
    )
    assert reader.clip(name)["patient"] == "P08"


def test_the_last_clip_is_the_latest_one_running_or_not(reader: ClipReader) -> None:
    assert reader.clip("last")["clip_id"] == CLIPS[3].clip_id


@pytest.mark.parametrize("name", ["ffffffff", "%", "_", "' OR 1 --", "LAST"])
def test_a_name_that_no_clip_has_is_not_found(reader: ClipReader, name: str) -> None:
    with pytest.raises(NotFoundError, match=r"no clip .*`edge-fea clips` lists them"):
        reader.clip(name)


@pytest.mark.parametrize("name", ["", CLIPS[0].clip_id[:5]])
def test_a_name_that_several_clips_have_is_ambiguous(reader: ClipReader, name: str) -> None:
    with pytest.raises(NotFoundError, match="several clips begin with"):
        reader.clip(name)


def test_an_empty_database_has_no_clips_and_no_last_one(path: Path) -> None:
    ClipRecorder(path, busy_timeout=1, now=NOON).close()
    with ClipReader(path, busy_timeout=1) as reader:
        assert list(reader.clips(ClipFilter(running=True))) == []
        with pytest.raises(NotFoundError, match="no clip 'last'"):
            reader.clip("last")


def test_a_database_that_is_not_there_is_not_found_and_not_made(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="nothing has been recorded there"):
        ClipReader(tmp_path / "none.db", busy_timeout=1)
    assert list(tmp_path.iterdir()) == []


def test_reading_leaves_no_file_behind(reader: ClipReader, path: Path) -> None:
    list(reader.clips(ClipFilter()))
    reader._db.conn.close()
    assert {file.name for file in path.parent.iterdir()} == {path.name, path.name + ".lock"}


def test_a_reader_cannot_write(reader: ClipReader) -> None:
    with pytest.raises(Exception, match="readonly"):
        reader._db.execute("DELETE FROM clips")


def test_clips_are_read_while_another_process_records(path: Path) -> None:
    with (
        ClipRecorder(path, busy_timeout=1, now=NOON) as recorder,
        ClipReader(path, busy_timeout=1) as reader,
    ):
        recorder.save(make_clip(0))
        assert len(list(reader.clips(ClipFilter()))) == 1
        recorder.save(make_clip(5))
        assert len(list(reader.clips(ClipFilter()))) == 2


def test_a_path_with_special_characters_is_a_path(tmp_path: Path) -> None:
    path = tmp_path / "a b?mode=rwc#ä%20.db"
    with ClipRecorder(path, busy_timeout=1, now=NOON) as recorder:
        recorder.save(make_clip())
    with ClipReader(path, busy_timeout=1) as reader:
        assert len(list(reader.clips(ClipFilter()))) == 1
