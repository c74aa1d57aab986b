"""Clip summaries as rows of the table ``clips``."""

from typing import Any

from edge_fea.capture.clock import iso
from edge_fea.emotions import LABELS
from edge_fea.store.clip_columns import AGAINST_BASELINE, CORRECTED, SCORES
from edge_fea.summary.clip import Scores
from edge_fea.summary.intervals import MeanInterval
from edge_fea.summary.record import ClipSummary

Row = dict[str, Any]


def row_of(clip: ClipSummary) -> Row:
    """The row of a clip, before any baseline or correction.

    A clip that was not seen enough has null scores, never zeros.
    """
    recording, figures = clip.recording, clip.figures
    coverage = figures.coverage
    row: Row = {
        "clip_id": clip.clip_id,
        "device_id": recording.device_id,
        "patient": recording.patient,
        "app_version": recording.app_version,
        "model_sha256": recording.model_sha256,
        "start_utc": iso(clip.start),
        "start_monotonic_s": round(clip.start_monotonic_s, 3),
        "utc_offset": clip.utc_offset,
        "zone": recording.zone,
        "duration_s": round(figures.duration_s, 6),
        "clock_synchronized": clip.clock_synchronized,
        "boot_id": recording.boot_id,
        "source": recording.source,
        "ended_by": clip.ended_by,
        "frame_rate": recording.frame_rate,
        "frames_due": coverage.frames_due,
        "frames_captured": coverage.frames_captured,
        **{f"frames_{outcome}": count for outcome, count in coverage.outcomes.items()},
        "valid_seconds": coverage.valid_seconds,
        "coverage": coverage.coverage,
        "sufficient": coverage.sufficient,
    }
    later = (*AGAINST_BASELINE, *CORRECTED)
    if figures.scores is None:
        return row | dict.fromkeys(column.name for column in (*SCORES, *later))
    return row | _scores(figures.scores) | dict.fromkeys(column.name for column in later)


def _scores(scores: Scores) -> Row:
    emotion, course, indices = scores.emotion, scores.time_course, scores.indices
    row: Row = {
        "dominant": emotion.dominant,
        "margin": emotion.margin,
        "indeterminate": emotion.indeterminate,
    }
    for place, label in enumerate(LABELS):
        interval = emotion.intervals[place]
        row |= {
            f"mean_{label}": float(emotion.mean[place]),
            f"sd_{label}": float(emotion.sd[place]),
            f"mean_{label}_low": interval.low,
            f"mean_{label}_high": interval.high,
            f"n_eff_{label}": interval.n_eff,
            f"dwell_{label}_s": int(course.dwell_s[place]),
            f"bouts_{label}": int(course.bouts[place]),
        }
    return row | {
        "transitions_per_min": course.transitions_per_min,
        **_index("negative", indices.negative),
        "negative_time": indices.negative_time,
        "negative_mssd": indices.negative_mssd,
        "negative_inertia": indices.negative_inertia,
        **_index("expressivity", indices.expressivity),
        "expressivity_sd": indices.expressivity_sd,
        "expressivity_mssd": indices.expressivity_mssd,
        "expressivity_inertia": indices.expressivity_inertia,
        "motion_energy": indices.motion,
        "variety_bits": indices.variety_bits,
        "doubt_bits": indices.doubt_bits,
    }


def _index(name: str, interval: MeanInterval) -> Row:
    return {
        f"{name}_mean": interval.mean,
        f"{name}_mean_low": interval.low,
        f"{name}_mean_high": interval.high,
        f"{name}_n_eff": interval.n_eff,
    }
