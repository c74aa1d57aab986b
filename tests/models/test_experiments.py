"""The log of runs: a line once, with nothing in it of the machine."""

import json
import re
from pathlib import Path

import numpy as np
import pytest

from models.training.experiments import (
    COLUMNS,
    LOG,
    append,
    evaluation_row,
    portable,
    read,
    run_row,
)


def stage_folder(folder: Path, steps: int) -> Path:
    """What train leaves behind after 400 steps of ``steps``."""
    folder.mkdir(parents=True)
    run = {"network": {"size": 96, "widths": [8, 12]}, "seed": 1, "fold": "0", "preset": "ship"}
    run |= {"stage": "settle", "command": "train --start /srv/ann/runs/x/last.h5 --out /tmp/x"}
    (folder / "run.json").write_text(json.dumps(run))
    (folder / "log.csv").write_text(
        "stage,step,seconds,loss,rate,frontal\nsettle,200,60,2.0,1e-3,0.5\n"
        "settle,400,120,1.5,2e-5,0.8\n"
    )
    stage = {"name": "settle", "size": 96, "steps": steps, "rate": 4e-4, "shares": {"kdef": 0.5}}
    meta = {"stage": stage | {"validate_every": 200}}
    np.savez(folder / "state.npz", meta=json.dumps(meta))
    return folder


def test_a_run_becomes_a_line_with_its_settings_and_figures(tmp_path: Path) -> None:
    row = run_row(stage_folder(tmp_path / "settle", steps=400))
    assert (row["what"], row["steps"], row["minutes"]) == ("train ship/settle", 400, 2.0)
    assert row["figures"] == "loss=1.5 frontal=0.8"
    assert row["settings"] == "rate=0.0004 shares=(kdef=0.5)"
    assert row["network"] == "widths=8,12"
    assert row["note"] == ""


def test_a_stopped_run_is_said_to_be_one(tmp_path: Path) -> None:
    row = run_row(stage_folder(tmp_path / "settle", steps=600), note="diverged")
    assert row["note"] == "stopped at step 400 of 600; diverged"


def test_no_folder_of_the_machine_is_in_a_command() -> None:
    assert portable(
        "train --note 'a longer one' --stage a --start /srv/ann/runs/a/last.h5 --out /tmp/x "
        "--cache=/tmp/c --folder wards=/data/wards --share wards=0.5 --start RUNS/a/b.h5"
    ) == (
        "train --stage a --start a/last.h5 --folder wards=data/wards --share wards=0.5 "
        "--start RUNS/a/b.h5"
    )


def test_a_line_is_added_once(tmp_path: Path) -> None:
    log = tmp_path / "log.csv"
    row = run_row(stage_folder(tmp_path / "settle", steps=400))
    assert append(row, log)
    assert not append(row, log)
    assert append(evaluation_row("net", "0", 1.26, {"frontal_int8": 0.75}, "evaluate"), log)
    first, second = read(log)
    assert tuple(first) == COLUMNS
    assert (second["minutes"], second["figures"]) == ("1.3", "frontal_int8=0.75")


@pytest.mark.parametrize("column", ["date", "what", "command", "figures"])
def test_every_line_of_the_projects_log_is_filled_in(column: str) -> None:
    rows = read(LOG)
    assert rows
    assert all(row[column] for row in rows)


def test_the_projects_log_names_no_folder_of_a_machine() -> None:
    assert re.search(r"[\s=,]~?/\w", LOG.read_text()) is None
