"""Simulated clips are what the device would have stored: the other tests may trust them."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from edge_fea.emotions import LABELS
from edge_fea.store.clips import ClipFilter, ClipReader
from edge_fea.store.dictionary import TABLES
from edge_fea.store.rows import Row
from edge_fea.vision.observation import Outcome
from tests.clinic.simulated import FIRST_DAY, Plan, simulate


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("simulated") / "clips.db"
    simulate(path, plan=Plan(days=8, off_days=(2,), unsynchronized_day=3))
    return path


@pytest.fixture(scope="module")
def rows(path: Path) -> list[Row]:
    with ClipReader(path, busy_timeout=1) as reader:
        return list(reader.clips(ClipFilter()))


def test_values_lie_in_the_ranges_of_the_dictionary(rows: list[Row]) -> None:
    for row in rows:
        for column in TABLES["clips"]:
            value = row[column.name]
            if value is None:
                assert column.nullable, column.name
            elif column.levels:
                assert str(value) in column.levels, column.name
            elif isinstance(value, int | float):
                assert column.low is None or value >= column.low, column.name
                assert column.high is None or value <= column.high, column.name


def test_parts_add_up(rows: list[Row]) -> None:
    for row in rows:
        assert sum(row[f"frames_{outcome}"] for outcome in Outcome) == row["frames_due"]
        assert row["sufficient"] == (row["dominant"] is not None)
        if row["sufficient"]:
            assert sum(row[f"dwell_{label}_s"] for label in LABELS) == row["valid_seconds"]
            assert sum(row[f"mean_{label}"] for label in LABELS) == pytest.approx(1.0)
            assert row["mean_sad_low"] < row["mean_sad"] < row["mean_sad_high"]


def test_the_day_off_and_the_unset_clock_are_there(rows: list[Row]) -> None:
    days = {row["start_utc"][:10] for row in rows if row["utc_offset"] == "+02:00"}
    assert FIRST_DAY.replace(day=2).isoformat() in days
    assert len([row for row in rows if row["clock_synchronized"] == 0]) == 72


def test_later_clips_are_compared_with_a_baseline(rows: list[Row], path: Path) -> None:
    assert rows[0]["baseline_id"] is None
    last = [row for row in rows if row["sufficient"]][-1]
    assert last["baseline_id"] is not None
    assert last["z_negative_mean"] is not None
    with closing(sqlite3.connect(path)) as db:
        (made,) = db.execute("SELECT count(*) FROM baselines").fetchone()
    assert made >= 3


def test_the_same_seed_gives_the_same_clips(rows: list[Row], tmp_path: Path) -> None:
    simulate(tmp_path / "again.db", plan=Plan(days=8, off_days=(2,), unsynchronized_day=3))
    with ClipReader(tmp_path / "again.db", busy_timeout=1) as reader:
        assert list(reader.clips(ClipFilter())) == rows
