"""kill -9 at random moments: the next start closes the open clip, and nothing else changes."""

import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import cv2
import pytest

from edge_fea.capture.demo import DemoSource, Scene
from edge_fea.store.clips import ClipFilter, ClipReader, ClipRecorder

pytestmark = pytest.mark.system

CHECKPOINT_S = 1.0
TIMES = 20


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory, stage: DemoSource) -> Path:
    path = tmp_path_factory.mktemp("video") / "minute.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 8, (640, 480), False)
    for number in range(8 * 60):
        writer.write(stage.draw(Scene("valid", 1), number / 8, number))
    writer.release()
    return path


def rows(database: Path) -> dict[str, dict]:
    with ClipReader(database, busy_timeout=5) as reader:
        return {row["clip_id"]: row for row in reader.clips(ClipFilter(running=True))}


def test_killed_twenty_times(video: Path, tmp_path: Path) -> None:
    database = tmp_path / "kept.db"
    environment = {
        **os.environ,
        "EDGE_FEA_CAPTURE__SOURCE": "video",
        "EDGE_FEA_CAPTURE__PATH": str(video),
        "EDGE_FEA_CLIP__DEVELOPMENT": "true",
        "EDGE_FEA_CLIP__LENGTH_S": "5",
        "EDGE_FEA_CLIP__CHECKPOINT_S": str(CHECKPOINT_S),
    }
    dice = random.Random(7)
    before: dict[str, dict] = {}
    power_losses = 0
    for _ in range(TIMES):
        process = subprocess.Popen(
            [sys.executable, "-m", "edge_fea", "--database", str(database), "run"],
            env=environment,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert process.stderr is not None
        while "watching" not in (line := process.stderr.readline()):
            assert line, "edge-fea ended before it watched"
        began = time.monotonic()
        time.sleep(dice.uniform(0.3, 8.0))
        process.send_signal(signal.SIGKILL)
        ran = time.monotonic() - began
        process.wait()
        process.stderr.close()

        with closing(sqlite3.connect(database)) as db:
            assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        left = rows(database)
        with ClipRecorder(database, busy_timeout=5, now=datetime.now(UTC)) as recorder:
            closed = recorder.closed_after_power_loss
        after = rows(database)
        assert len(closed) <= 1
        power_losses += len(closed)
        # Clips of former runs, and this run's full ones, are what they were.
        assert {key: after[key] for key in before} == before
        for key in set(after) - set(closed):
            assert after[key] == left[key]
        for key in closed:
            assert after[key] == {**left[key], "ended_by": "power_loss"}
        new = [row for key, row in after.items() if key not in before]
        # The recording may start up to half a second after the log line.
        kept = sum(row["duration_s"] for row in new)
        assert kept >= ran - CHECKPOINT_S - 0.5, (kept, ran)
        before = after
    assert power_losses >= TIMES // 2
