"""The tables, as numbered steps. A step that has landed is never edited: the next one mends it."""

import sqlite_utils
from sqlite_utils import Migrations

from edge_fea.emotions import LABELS
from edge_fea.vision.observation import Outcome

migrations = Migrations("edge_fea")


@migrations(name="0001_clips")
def create_clips(db: sqlite_utils.Database) -> None:
    """One row a clip; the running clip is the one whose ``ended_by`` is null."""
    columns: dict[str, type] = {
        "clip_id": str,
        "device_id": str,
        "patient": str,
        "app_version": str,
        "model_sha256": str,
        "start_utc": str,
        "utc_offset": str,
        "zone": str,
        "duration_s": float,
        "clock_synchronized": int,
        "boot_id": str,
        "source": str,
        "ended_by": str,
        "frame_rate": float,
        "frames_due": int,
        "frames_captured": int,
        **{f"frames_{outcome}": int for outcome in Outcome},
        "valid_seconds": int,
        "coverage": float,
        "sufficient": int,
        "dominant": str,
        "margin": float,
        **{f"mean_{label}": float for label in LABELS},
        **{f"sd_{label}": float for label in LABELS},
    }
    nullable = {"clock_synchronized", "boot_id", "ended_by", "dominant", "margin"}
    scores = {f"{figure}_{label}" for figure in ("mean", "sd") for label in LABELS}
    db.table("clips").create(
        columns, pk="clip_id", not_null=set(columns) - nullable - scores - {"clip_id"}, strict=True
    )
    db.table("clips").create_index(["start_utc"])
    db.table("clips").create_index(["patient", "start_utc"])


def known() -> set[str]:
    """The names of all steps that this version has."""
    # Before any step, none is applied, so all that there are stand as pending.
    return {step.name for step in migrations.pending(sqlite_utils.Database(memory=True))}
