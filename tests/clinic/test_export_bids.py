"""BIDS: the validator of the standard accepts the data set, and nothing is lost."""

import json
import subprocess
import sys
import zipfile
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import HealthCheck, assume, given, settings

from edge_fea.clinic.export.bids import CLIP_COLUMNS, SECOND_COLUMNS, subjects
from edge_fea.errors import UnclearError
from edge_fea.store.moments import happened
from tests.clinic.export_factory import (
    MIXED,
    any_rows,
    by_id,
    export,
    fresh,
    from_text,
    insert,
    record,
)

# Of the package bids-validator-deno: the validator that the standard maintains.
VALIDATOR = Path(sys.executable).with_name("bids-validator-deno")
CLIPS = "beh/sub-P07_task-observation_acq-clip_events.tsv"
SECONDS = "beh/sub-P07_task-observation_acq-second_events.tsv"


def unpacked(database: Path, folder: Path, **conditions: object) -> Path:
    folder.mkdir()
    export("bids", database, folder / "bids.zip", **conditions)
    with zipfile.ZipFile(folder / "bids.zip") as files:
        files.extractall(folder / "bids")
    return folder / "bids"


def table(path: Path) -> pd.DataFrame:
    """A table as text cells."""
    return pd.read_csv(path, sep="\t", dtype=str, keep_default_na=False)


@pytest.mark.parametrize("series", [False, True])
def test_the_standards_own_validator_finds_no_error(tmp_path: Path, series: bool) -> None:
    database = record(tmp_path / "clips.db", *MIXED, series=series)
    folder = unpacked(database, tmp_path / "out", series=series)
    done = subprocess.run(
        [VALIDATOR, folder, "--format", "json", "--max-rows", "-1"],
        capture_output=True,
        text=True,
        check=False,
    )
    answer = json.loads(done.stdout)
    issues = answer["issues"]["issues"]
    assert [issue for issue in issues if issue["severity"] == "error"] == []
    # What it recommends and a device cannot know: authors, licence, institution, atlas terms.
    assert {issue["code"] for issue in issues} <= {
        *("TOO_FEW_AUTHORS", "NO_AUTHORS", "JSON_KEY_RECOMMENDED", "SIDECAR_KEY_RECOMMENDED"),
    }
    assert answer["summary"]["subjects"] == ["P07", "P08"]
    assert answer["summary"]["tasks"] == ["observation"]


@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(any_rows())
def test_it_loses_nothing(tmp_path: Path, rows: list[dict]) -> None:
    try:
        subjects({row["patient"] for row in rows})
    except UnclearError:
        assume(False)
    out = fresh(tmp_path)
    source = export("bids", insert(fresh(tmp_path), *rows), out)
    read = []
    with zipfile.ZipFile(out) as files:
        for name in files.namelist():
            if name.endswith("_acq-clip_events.tsv"):
                with files.open(name) as file:
                    read += table(file).to_dict("records")  # type: ignore[arg-type]
    assert by_id([from_text(row, missing="n/a") for row in read]) == by_id(source)
    for row in read:
        clips = [clip for clip in source if clip["patient"] == row["patient"]]
        began = {clip["clip_id"]: happened(clip) for clip in clips}
        onset = (began[row["clip_id"]] - min(began.values())).total_seconds()
        assert float(row["onset"]) == onset
        assert float(row["duration"]) == float(row["duration_s"])


def test_each_patient_has_a_table_and_the_pseudonym_is_kept(tmp_path: Path) -> None:
    folder = unpacked(record(tmp_path / "clips.db", *MIXED), tmp_path / "out")
    people = table(folder / "participants.tsv").to_dict("list")
    assert people == {"participant_id": ["sub-P08", "sub-P07"], "pseudonym": ["P-08", "P07"]}
    clips = table(folder / "sub-P07" / CLIPS)
    assert list(clips.columns) == [column.name for column in CLIP_COLUMNS]
    assert list(clips.onset) == ["0", "600"]
    assert list(clips.mean_happy)[1] == "n/a"


def test_onset_0_is_told_in_wall_time(tmp_path: Path) -> None:
    folder = unpacked(record(tmp_path / "clips.db", *MIXED), tmp_path / "out")
    scans = table(folder / "sub-P07" / "sub-P07_scans.tsv").to_dict("records")
    assert scans == [{"filename": CLIPS, "acq_time": "2026-11-22T12:00:00.123Z"}]


def test_the_sidecar_describes_every_column(tmp_path: Path) -> None:
    database = record(tmp_path / "clips.db", *MIXED, series=True)
    folder = unpacked(database, tmp_path / "out", series=True)
    for name, columns in (("clip", CLIP_COLUMNS), ("second", SECOND_COLUMNS)):
        told = json.loads((folder / f"task-observation_acq-{name}_events.json").read_text())
        assert set(told) == {"TaskName", "TaskDescription", *(column.name for column in columns)}
    told = json.loads((folder / "task-observation_acq-clip_events.json").read_text())
    assert told["onset"]["Units"] == told["valid_seconds"]["Units"] == "s"
    assert told["sufficient"]["Levels"] == {"0": "no", "1": "yes"}
    assert "happy" in told["dominant"]["Levels"]


def test_the_second_series_lies_in_the_same_time(tmp_path: Path) -> None:
    database = record(tmp_path / "clips.db", *MIXED, series=True)
    folder = unpacked(database, tmp_path / "out", series=True)
    seconds = table(folder / "sub-P07" / SECONDS)
    assert list(seconds.columns) == [column.name for column in SECOND_COLUMNS]
    assert list(seconds.onset[:3]) == ["0", "1", "2"]
    assert list(seconds.onset[-2:]) == ["608", "609"]
    assert set(seconds.duration) == {"1"}


@pytest.mark.parametrize("pair", [("P-1", "P1"), ("p1", "P1"), ("A.B", "AB")])
def test_two_patients_who_would_share_a_name_are_refused(pair: tuple[str, str]) -> None:
    with pytest.raises(UnclearError, match="--patient"):
        subjects(pair)


def test_a_pseudonym_without_letter_or_digit_is_refused() -> None:
    with pytest.raises(UnclearError, match="no letter or digit"):
        subjects(["_-."])
