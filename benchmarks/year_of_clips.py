"""A year of clips of one patient: how long `summary` and a baseline take, and how large it gets.

    python benchmarks/year_of_clips.py [--clips 105120]

Fills a database in a temporary folder with five-minute clips whose values vary, then times the very
calls of `edge-fea summary --by day`, of a baseline update and of saving one clip.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np

from edge_fea.emotions import LABELS
from edge_fea.store.baselines import Baselines
from edge_fea.store.clips import ClipRecorder
from edge_fea.store.rows import row_of
from edge_fea.summary.baseline import BASELINE_INDICES, DEFAULT_RULE
from edge_fea.summary.clip import ClipAccumulator, Sufficiency
from edge_fea.summary.record import ClipSummary, EndedBy, Recording, clip_id
from edge_fea.vision.observation import Observation, Outcome

START = datetime(2025, 11, 1, tzinfo=UTC)
MODEL = "a" * 64


def one_clip(start: datetime, dice) -> ClipSummary:
    """A full clip of five minutes at 4 frames a second with random probabilities."""
    accumulator = ClipAccumulator(0, 4.0)
    for number, row in enumerate(dice.dirichlet(np.ones(7), 1200)):
        accumulator.add(Observation(number, Outcome.VALID, row))
    recording = Recording("bench", "P1", "0", MODEL, "Europe/Berlin", "picamera2", 4.0, "boot")
    figures = accumulator.figures(Sufficiency(0.5, 60), 300.0)
    return ClipSummary(clip_id(start), recording, start, 0.0, "+01:00", True, figures, EndedBy.FULL)


def rows(count: int, dice):
    """Rows as the recorder writes them, five minutes apart."""
    template = row_of(one_clip(START, dice))
    varied = [f"mean_{label}" for label in LABELS] + list(BASELINE_INDICES)
    values = dice.uniform(0, 1, (count, len(varied)))
    for number in range(count):
        start = START + timedelta(minutes=5 * number)
        yield {
            **template,
            **dict(zip(varied, values[number].tolist(), strict=True)),
            "clip_id": clip_id(start),
            "start_utc": f"{start:%Y-%m-%dT%H:%M:%S}.000Z",
        }


def a_days_writes(recorder: ClipRecorder, path: Path, start: datetime, dice) -> float:
    """Bytes that go to the journal in a day: a clip every 5 minutes, checkpointed each 30 s.

    SQLite writes the same pages once more when it folds the journal into the database, but each
    page only once however often it was written.
    """
    journal = path.with_name(path.name + "-wal")
    before = journal.stat().st_size
    clip = one_clip(start + timedelta(days=1), dice)
    for _ in range(9):
        recorder.save(replace(clip, ended_by=None))
    recorder.save(clip)
    return (journal.stat().st_size - before) * 288


def timed(label: str, call) -> None:
    """Print the least of three times of a call."""
    times = []
    for _ in range(3):
        began = time.perf_counter()
        call()
        times.append(time.perf_counter() - began)
    print(f"{label:34} {min(times):7.2f} s")


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--clips", type=int, default=105_120)
    options = parser.parse_args()
    dice = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "year.db"
        end = START + timedelta(minutes=5 * options.clips)
        with ClipRecorder(path, busy_timeout=10, now=START) as recorder:
            recorder.opened.db.table("clips").insert_all(rows(options.clips, dice))
            baselines = Baselines(recorder.opened.db, DEFAULT_RULE)
            timed("baseline update", lambda: baselines.update("P1", MODEL, end))
            clips = [one_clip(end + timedelta(minutes=5 * n), dice) for n in range(4)]
            timed("saving one clip", lambda: recorder.save(clips.pop()))
            recorder.opened.db.conn.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            written = a_days_writes(recorder, path, end, dice)
        command = [sys.executable, "-m", "edge_fea", "--database", str(path), "summary"]
        for by in ("day", "hour", "week"):
            timed(
                f"edge-fea summary --by {by}",
                lambda by=by: subprocess.run(
                    [*command, "--by", by], capture_output=True, check=True
                ),
            )
        size = path.stat().st_size
        print(f"{'written to the journal':34} {written / 1e6:7.1f} MB a day")
        print(f"{'database':34} {size / 1e6:7.1f} MB, {size / options.clips:.0f} bytes a clip")


if __name__ == "__main__":
    main()
