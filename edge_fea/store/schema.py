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
        **dict.fromkeys(["clip_id", "device_id", "patient", "app_version", "model_sha256"], str),
        **dict.fromkeys(["start_utc", "utc_offset", "zone"], str),
        "duration_s": float,
        "clock_synchronized": int,
        **dict.fromkeys(["boot_id", "source", "ended_by"], str),
        "frame_rate": float,
        **dict.fromkeys(["frames_due", "frames_captured"], int),
        **{f"frames_{outcome}": int for outcome in Outcome},
        "valid_seconds": int,
        "coverage": float,
        "sufficient": int,
    }
    nullable = {"clock_synchronized", "boot_id", "ended_by"}
    scores: dict[str, type] = {"dominant": str, "margin": float, "indeterminate": int}
    for label in LABELS:
        scores |= {
            **dict.fromkeys([f"mean_{label}", f"sd_{label}"], float),
            **dict.fromkeys([f"mean_{label}_low", f"mean_{label}_high"], float),
            f"n_eff_{label}": float,
            **dict.fromkeys([f"dwell_{label}_s", f"bouts_{label}"], int),
        }
    indices = ["transitions_per_min"]
    indices += [f"negative_{name}" for name in ("mean", "mean_low", "mean_high", "n_eff")]
    indices += [f"negative_{name}" for name in ("time", "mssd", "inertia")]
    indices += [f"expressivity_{name}" for name in ("mean", "mean_low", "mean_high", "n_eff")]
    indices += [f"expressivity_{name}" for name in ("sd", "mssd", "inertia")]
    indices += ["motion_energy", "variety_bits", "doubt_bits"]
    db.table("clips").create(
        {**columns, **scores, **dict.fromkeys(indices, float)},
        pk="clip_id",
        not_null=set(columns) - nullable - {"clip_id"},
        strict=True,
    )
    db.table("clips").create_index(["start_utc"])
    db.table("clips").create_index(["patient", "start_utc"])


def known() -> set[str]:
    """The names of all steps that this version has."""
    # Before any step, none is applied, so all that there are stand as pending.
    return {step.name for step in migrations.pending(sqlite_utils.Database(memory=True))}
