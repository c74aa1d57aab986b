"""patient, baseline, summary and dictionary on the command line."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner

from edge_fea.cli import cli
from edge_fea.store.clips import ClipRecorder
from edge_fea.store.rows import row_of
from edge_fea.summary.baseline import BASELINE_INDICES
from edge_fea.vision.classifier import default_network
from edge_fea.vision.manifest import Manifest
from tests.store.clip_factory import make_clip


@pytest.fixture
def database(tmp_path: Path) -> Path:
    return tmp_path / "edge-fea.db"


def edge_fea(database: Path, *arguments: str, code: int = 0) -> str:
    result = CliRunner().invoke(
        cli,
        ["--database", str(database), *arguments],
        env={"EDGE_FEA_DEVICE__TIME_ZONE": "Europe/Berlin"},
    )
    assert result.exit_code == code, result.output
    return result.output


def fill(database: Path, days: int, per_day: int = 12) -> None:
    """Sufficient clips of the last days, every two hours, read by the network that ships."""
    model = Manifest.read(default_network()).sha256
    today = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    rows = []
    for day in range(days, 0, -1):
        for number in range(per_day):
            start = today - timedelta(days=day) + timedelta(hours=2 * number)
            row = row_of(make_clip()) | {
                "clip_id": f"{day}-{number}",
                "start_utc": f"{start:%Y-%m-%dT%H:%M:%S}.000Z",
                "patient": "P07",
                "model_sha256": model,
            }
            rows.append(row | dict.fromkeys(BASELINE_INDICES, 0.3 + 0.01 * (number % 5)))
    with ClipRecorder(database, busy_timeout=1, now=datetime.now(UTC)) as recorder:
        recorder.opened.db.table("clips").insert_all(rows)


def test_a_stay_begins_changes_and_ends(database: Path) -> None:
    assert "nothing has been recorded" in edge_fea(database, "patient", "show", code=66)
    assert edge_fea(database, "patient", "start", "P07") == "patient P07 is on the device\n"
    assert "patient P07 has left" in edge_fea(database, "patient", "start", "P08")
    assert edge_fea(database, "patient", "show") == "patient P08 is on the device\n"
    assert edge_fea(database, "patient", "end") == "patient P08 has left\n"
    assert "no patient's stay is running" in edge_fea(database, "patient", "end", code=66)


def test_a_name_is_no_pseudonym(database: Path) -> None:
    output = edge_fea(database, "patient", "start", "Jane Doe", code=78)
    assert "patient: must be 1 to 40 of A to Z" in output
    assert "without spaces, not 'Jane Doe'" in output


def test_a_baseline_tells_how_far_its_making_is(database: Path) -> None:
    fill(database, 2)
    output = edge_fea(database, "baseline", "show", "--patient", "P07")
    assert output == "patient P07 has no baseline yet: 24 of 30 sufficient clips, 2 of 3 days\n"
    assert "not enough for a baseline" in edge_fea(
        database, "baseline", "update", "--patient", "P07"
    )
    assert "has no baseline yet" in edge_fea(
        database, "baseline", "freeze", "--patient", "P07", code=66
    )


def test_a_baseline_is_made_frozen_and_reset(database: Path) -> None:
    fill(database, 5)
    edge_fea(database, "patient", "start", "P07")
    made = edge_fea(database, "baseline", "update")
    assert "baseline 1 of patient P07" in made
    assert "from 60 sufficient clips of 5 days" in made
    assert "negative_mean" in made
    assert "frozen" in edge_fea(database, "baseline", "freeze")
    assert "frozen" in edge_fea(database, "baseline", "show")
    refused = edge_fea(database, "baseline", "update", code=77)
    assert "baseline 1 of patient P07 is frozen and holds until" in refused
    edge_fea(database, "baseline", "reset")
    assert "has no baseline yet: 0 of 30" in edge_fea(database, "baseline", "show")


def test_another_network_begins_a_new_baseline_and_says_so(database: Path) -> None:
    fill(database, 5)
    edge_fea(database, "baseline", "update", "--patient", "P07")
    with ClipRecorder(database, busy_timeout=1, now=datetime.now(UTC)) as recorder:
        recorder.opened.db.table("baselines").update(1, {"model_sha256": "d" * 64})
    output = edge_fea(database, "baseline", "show", "--patient", "P07")
    assert "the network has changed since baseline 1" in output


@pytest.mark.parametrize(("by", "count"), [("hour", 12), ("daypart", 5), ("day", 7), ("week", 2)])
def test_a_summary_gathers_by_local_time(database: Path, by: str, count: int) -> None:
    fill(database, 6)
    rows = json.loads(edge_fea(database, "summary", "--by", by, "--format", "json"))
    assert sum(row["clips"] for row in rows) == 72
    # Six days of UTC touch seven local days, and up to two weeks.
    assert len(rows) <= count
    assert len(rows) >= count - 1
    assert all(row["coverage"] == pytest.approx(0.8) for row in rows)


def test_a_summary_table_ends_with_contrast_and_trend(database: Path) -> None:
    fill(database, 6)
    output = edge_fea(database, "summary", "--patient", "P07")
    assert "late afternoon less midday" in output
    assert "too few weeks with valid days" in output


def test_clips_of_an_unsynchronized_clock_are_counted_and_told(database: Path) -> None:
    fill(database, 6)
    with ClipRecorder(database, busy_timeout=1, now=datetime.now(UTC)) as recorder:
        clips = recorder.opened.db.table("clips")
        for row in list(clips.rows_where(limit=5)):
            clips.update(row["clip_id"], {"clock_synchronized": 0})
    rows = json.loads(edge_fea(database, "summary", "--format", "json"))
    assert sum(row["unsynchronized_clips"] for row in rows) == 5
    output = edge_fea(database, "summary")
    assert "5 of 72 clips: the clock was not synchronized" in output


def test_a_summary_of_somebody_unknown_names_who_is_known(database: Path) -> None:
    fill(database, 1)
    told = edge_fea(database, "summary", "--patient", "P7", code=66)
    assert "no clips of patient P7, but of P07" in told


def test_a_summary_of_nothing_says_so(database: Path) -> None:
    edge_fea(database, "patient", "start", "P07")
    assert edge_fea(database, "summary").startswith("no clips")
    assert edge_fea(database, "summary", "--format", "csv").startswith("day,clips,")


def test_a_database_of_an_older_version_is_left_to_the_service(
    database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    edge_fea(database, "patient", "start", "P07")
    from sqlite_utils import Migrations

    from edge_fea.store import schema

    steps = Migrations("edge_fea")
    for step in schema.migrations._migrations:
        steps(name=step.name)(step.fn)
    steps(name="9999_more")(lambda db: None)
    monkeypatch.setattr("edge_fea.store.database.migrations", steps)
    assert "start the service first" in edge_fea(database, "patient", "end", code=74)
