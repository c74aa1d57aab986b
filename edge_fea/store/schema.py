"""The tables, as numbered steps. A step that has landed is never edited: the next one mends it."""

import sqlite_utils
from sqlite_utils import Migrations

# Written out, not imported: a step must stay what it was when these lists grow.
_LABELS = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")
_OUTCOMES = (
    *("valid", "no_face", "not_a_face", "not_live", "face_too_small", "off_zone", "ambiguous"),
    *("too_dark", "too_bright", "blurred", "turned_away", "paused", "capture_lost"),
)

migrations = Migrations("edge_fea")


@migrations(name="0001_clips")
def create_clips(db: sqlite_utils.Database) -> None:
    """One row a clip; the running clip is the one whose ``ended_by`` is null."""
    columns: dict[str, type] = {
        **dict.fromkeys(["clip_id", "device_id", "patient", "app_version", "model_sha256"], str),
        "start_utc": str,
        "start_monotonic_s": float,
        **dict.fromkeys(["utc_offset", "zone"], str),
        "duration_s": float,
        "clock_synchronized": int,
        **dict.fromkeys(["boot_id", "source", "ended_by"], str),
        "frame_rate": float,
        **dict.fromkeys(["frames_due", "frames_captured"], int),
        **{f"frames_{outcome}": int for outcome in _OUTCOMES},
        "valid_seconds": int,
        "coverage": float,
        "sufficient": int,
    }
    nullable = {"clock_synchronized", "boot_id", "ended_by"}
    scores: dict[str, type] = {"dominant": str, "margin": float, "indeterminate": int}
    for label in _LABELS:
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


@migrations(name="0002_patients_and_baselines")
def create_patients_and_baselines(db: sqlite_utils.Database) -> None:
    """Who was on the device when, and what was usual for them."""
    indices = ["negative_mean", "negative_time", "expressivity_mean", "expressivity_sd"]
    indices += ["transitions_per_min", "motion_energy", "variety_bits"]
    db.table("stays").create(
        {"stay_id": int, "patient": str, "start_utc": str, "end_utc": str},
        pk="stay_id",
        not_null={"patient", "start_utc"},
        strict=True,
    )
    required: dict[str, type] = {
        **dict.fromkeys(["patient", "model_sha256", "made_utc", "first_utc", "last_utc"], str),
        **dict.fromkeys(["days", "clips", "frozen"], int),
    }
    figures = [f"{figure}_{index}" for index in indices for figure in ("median", "mad")]
    db.table("baselines").create(
        {"baseline_id": int, **required, **dict.fromkeys(figures, float)},
        pk="baseline_id",
        not_null=set(required),
        strict=True,
    )
    db.table("baselines").create_index(["patient", "model_sha256", "made_utc"])
    db.table("baseline_resets").create(
        {"reset_id": int, "patient": str, "at_utc": str},
        pk="reset_id",
        not_null={"patient", "at_utc"},
        strict=True,
    )
    db.table("clips").add_column("baseline_id", int)
    for index in indices:
        db.table("clips").add_column(f"z_{index}", float)


@migrations(name="0003_second_series")
def create_second_series(db: sqlite_utils.Database) -> None:
    """The second series of a clip, for researchers who ask for it."""
    columns: dict[str, type] = {"clip_id": str, "second": int, "frames": int}
    columns |= dict.fromkeys([f"p_{label}" for label in _LABELS], float)
    db.table("seconds").create(
        columns, pk=("clip_id", "second"), not_null=set(columns), strict=True
    )


@migrations(name="0004_data_dictionary")
def create_data_dictionary(db: sqlite_utils.Database) -> None:
    """What every column means, for whoever has only the file. Filled by ``dictionary.keep_in``."""
    names = ["table_name", "column_name", "type", "nullable", "unit", "range", "meaning"]
    columns: dict[str, type] = dict.fromkeys([*names, "formula"], str)
    db.table("data_dictionary").create(
        columns, pk=("table_name", "column_name"), not_null=set(columns), strict=True
    )


@migrations(name="0005_erasures")
def create_erasures(db: sqlite_utils.Database) -> None:
    """That a patient was erased, so that no running process writes their clip once more."""
    columns: dict[str, type] = {"erasure_id": int, "at_utc": str, "stays": int, "boot_id": str}
    columns |= {"monotonic_s": float, "salt": str, "patient_hash": str}
    db.table("erasures").create(columns, pk="erasure_id", not_null={"at_utc", "stays"}, strict=True)


@migrations(name="0006_corrected_starts")
def add_corrected_starts(db: sqlite_utils.Database) -> None:
    """When a clip began, where the clock was only set after it; and the word of people for it."""
    # The words of the index are those of ``moments.HAPPENED``, or no query would use it.
    happened = "coalesce(corrected_start_utc, start_utc)"
    for name in ("corrected_start_utc", "corrected_utc_offset"):
        db.table("clips").add_column(name, str)
    db.conn.execute("DROP INDEX idx_clips_start_utc")
    db.conn.execute("DROP INDEX idx_clips_patient_start_utc")
    db.conn.execute(f"CREATE INDEX idx_clips_happened ON clips({happened})")
    db.conn.execute(f"CREATE INDEX idx_clips_patient_happened ON clips(patient, {happened})")
    db.conn.execute(
        "CREATE INDEX idx_clips_doubtful ON clips(boot_id) "
        "WHERE clock_synchronized = 0 AND corrected_start_utc IS NULL"
    )
    columns: dict[str, type] = {"check_id": int, "boot_id": str, "at_utc": str}
    db.table("clock_checks").create(
        {**columns, "monotonic_s": float},
        pk="check_id",
        not_null={"boot_id", "at_utc", "monotonic_s"},
        strict=True,
    )


@migrations(name="0007_clip_order")
def create_clip_order(db: sqlite_utils.Database) -> None:
    """The order in which clips were recorded. See ``store.order``."""
    db.conn.execute(
        "CREATE TABLE clip_order (place INTEGER PRIMARY KEY AUTOINCREMENT, clip_id TEXT NOT NULL) "
        "STRICT"
    )
    # Another database may have been here before, whose places are on record: counted on from now.
    db.conn.execute(
        "INSERT INTO sqlite_sequence (name, seq) VALUES ('clip_order', "
        "CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER))"
    )
    db.conn.execute("INSERT INTO clip_order (clip_id) SELECT clip_id FROM clips ORDER BY rowid")
    db.conn.execute(
        "CREATE TRIGGER clips_in_order AFTER INSERT ON clips "
        "BEGIN INSERT INTO clip_order (clip_id) VALUES (NEW.clip_id); END"
    )


@migrations(name="0008_baseline_of_doubt")
def add_baseline_of_doubt(db: sqlite_utils.Database) -> None:
    """What is usual for the network's doubt too; baselines from before have none."""
    for name in ("median_doubt_bits", "mad_doubt_bits"):
        db.table("baselines").add_column(name, float)
    db.table("clips").add_column("z_doubt_bits", float)


@migrations(name="0009_audit_anchor")
def create_audit_anchor(db: sqlite_utils.Database) -> None:
    """Up to which row the audit trail went when the service last looked. See ``store.anchor``."""
    columns: dict[str, type] = {"anchor_id": int, "seq": int, "chain": str, "at_utc": str}
    db.table("audit_anchor").create(columns, pk="anchor_id", not_null=set(columns), strict=True)


def known() -> set[str]:
    """The names of all steps that this version has."""
    memory = sqlite_utils.Database(memory=True)
    try:
        # Before any step, none is applied, so all that there are stand as pending.
        return {step.name for step in migrations.pending(memory)}
    finally:
        memory.close()
