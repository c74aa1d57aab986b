"""Clip summaries as rows of the table ``clips``."""

from typing import Any

from edge_fea.capture.clock import iso
from edge_fea.emotions import LABELS
from edge_fea.summary.record import ClipSummary

Row = dict[str, Any]


def row_of(clip: ClipSummary) -> Row:
    """The row of a clip. A clip that was not seen enough has null scores, never zeros."""
    recording, figures = clip.recording, clip.figures
    coverage, emotion = figures.coverage, figures.emotion
    row: Row = {
        "clip_id": clip.clip_id,
        "device_id": recording.device_id,
        "patient": recording.patient,
        "app_version": recording.app_version,
        "model_sha256": recording.model_sha256,
        "start_utc": iso(clip.start),
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
        "valid_seconds": coverage.valid_seconds,
        "coverage": coverage.coverage,
        "sufficient": coverage.sufficient,
        "dominant": emotion.dominant if emotion else None,
        "margin": emotion.margin if emotion else None,
    }
    row.update({f"frames_{outcome}": count for outcome, count in coverage.outcomes.items()})
    for place, label in enumerate(LABELS):
        row[f"mean_{label}"] = float(emotion.mean[place]) if emotion else None
        row[f"sd_{label}"] = float(emotion.sd[place]) if emotion else None
    return row
