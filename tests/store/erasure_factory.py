"""A device with three patients, one of whom is erased."""

import sqlite3
from contextlib import closing
from datetime import date
from pathlib import Path

import numpy as np
import pytest

from edge_fea.store.clips import ClipRecorder
from edge_fea.store.dictionary import TABLES
from edge_fea.store.erasure import Erased, erase_patient
from edge_fea.store.patients import Stays
from edge_fea.store.traces import Search, Traces, search, tables_of, traces_of
from tests.clinic.simulated import Plan, simulate
from tests.conftest import NOON, FakeClock

# One that others' pseudonyms contain, and that is short enough to be in any file by chance.
GONE, LONGER, OTHER = "P7", "P70", "XP7"


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """Days of three patients with baselines, stays, a reset and second series."""
    path = tmp_path_factory.mktemp("recorded") / "a.db"
    months = {GONE: 10, LONGER: 6, OTHER: 3}
    for seed, (patient, month) in enumerate(months.items()):
        simulate(
            path, patient=patient, seed=seed, plan=Plan(days=6, first_day=date(2026, month, 1))
        )
    with ClipRecorder(path, busy_timeout=1, now=NOON) as recorder:
        db = recorder.opened.db
        dice = np.random.default_rng(1)
        clips = list(db.query("SELECT clip_id FROM clips ORDER BY random() LIMIT 60"))
        for clip in clips:
            db.table("seconds").insert_all(
                {"clip_id": clip["clip_id"], "second": second, "frames": 4}
                | {
                    f"p_{name[2:]}": float(p)
                    for name, p in zip(_P, dice.dirichlet([1] * 7), strict=True)
                }
                for second in range(20)
            )
        for patient in months:
            Stays(db).start(patient, NOON)
            recorder._baselines.reset(patient, NOON)
        Stays(db).end(NOON)
    return path.read_bytes()


_P = [column.name for column in TABLES["seconds"] if column.name.startswith("p_")]


@pytest.fixture
def path(tmp_path: Path, recorded: bytes) -> Path:
    folder = tmp_path / "device"
    folder.mkdir()
    (folder / "edge-fea.db").write_bytes(recorded)
    return folder / "edge-fea.db"


def erase(path: Path, clock: FakeClock | None = None, patient: str = GONE) -> Erased:
    return erase_patient(path, patient, busy_timeout=1, clock=clock or FakeClock())


def everything(path: Path, but: str = "") -> dict[str, list[tuple]]:
    """All values of all patients but one, and of all other tables."""
    with closing(sqlite3.connect(path)) as db:
        found = {}
        owned = tables_of(db)
        for table in TABLES:
            if table == "erasures":
                continue
            condition = f"NOT ({owned[table]})" if table in owned and but else "1"
            values = [but] if table in owned and but else []
            found[table] = db.execute(
                f"SELECT * FROM {table} WHERE {condition} ORDER BY 1, 2", values
            ).fetchall()
        return found


def needles(path: Path) -> Traces:
    with closing(sqlite3.connect(path)) as db:
        return traces_of(db, GONE)


def look(folder: Path, traces: Traces) -> Search:
    return search([each for each in folder.rglob("*") if each.is_file()], traces)
