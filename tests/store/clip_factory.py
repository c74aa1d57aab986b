"""Clip summaries made to measure, for the tests of whatever stores or shows them."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np

from edge_fea.emotions import LABELS
from edge_fea.summary.clip import ClipAccumulator, Sufficiency
from edge_fea.summary.record import ClipSummary, EndedBy, Recording, clip_id
from edge_fea.vision.observation import Observation, Outcome

START = datetime(2026, 11, 22, 12, 0, 0, 123_000, tzinfo=UTC)
RECORDING = Recording(
    device_id="efea-test",
    patient="P07",
    app_version="0.1.0",
    model_sha256="ab" * 32,
    zone="Europe/Berlin",
    source="video",
    frame_rate=1.0,
    boot_id=None,
)


def make_clip(
    minutes: float = 0.0,
    *,
    label: str = "happy",
    seen: int = 240,
    missed: int = 60,
    ended_by: EndedBy | None = EndedBy.FULL,
    patient: str = "P07",
    synchronized: bool | None = True,
) -> ClipSummary:
    """A clip that starts ``minutes`` after START: ``seen`` valid seconds, then ``missed`` empty."""
    start = START + timedelta(minutes=minutes)
    accumulator = ClipAccumulator(0, RECORDING.frame_rate)
    probabilities = np.full(len(LABELS), 0.05)
    probabilities[LABELS.index(label)] = 0.7
    for sequence in range(seen):
        accumulator.add(Observation(sequence, Outcome.VALID, probabilities, 1))
    for sequence in range(seen, seen + missed):
        accumulator.add(Observation(sequence, Outcome.NO_FACE))
    return ClipSummary(
        clip_id=clip_id(start, f"{patient} {minutes}".encode()),
        recording=replace(RECORDING, patient=patient),
        start=start,
        start_monotonic_s=60.0 * minutes,
        utc_offset="+01:00",
        clock_synchronized=synchronized,
        figures=accumulator.figures(Sufficiency(coverage=0.5, seconds=60)),
        ended_by=ended_by,
    )
