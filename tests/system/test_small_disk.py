"""A disk that fills up, and one that is read-only: real file systems, in a mount namespace."""

import os
import subprocess
import sys
from pathlib import Path

import cv2
import pytest

from edge_fea.capture.demo import DemoSource, Scene

pytestmark = pytest.mark.system

EDGE_FEA = f"{sys.executable} -m edge_fea"


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory, stage: DemoSource) -> Path:
    path = tmp_path_factory.mktemp("video") / "minutes.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 1, (640, 480), False)
    picture = stage.draw(Scene("no_face", 1, places=()), 0.0, 0)
    for _ in range(1000):
        writer.write(picture)
    writer.release()
    return path


def in_namespace(script: str, mount: Path) -> subprocess.CompletedProcess[str]:
    """Run a shell script that may mount things on ``mount``; needs root."""
    environment = {
        **os.environ,
        "EDGE_FEA_CLIP__DEVELOPMENT": "true",
        "EDGE_FEA_CLIP__LENGTH_S": "5",
        "EDGE_FEA_CAPTURE__FRAME_RATE": "1",
        "MOUNT": str(mount),
    }
    return subprocess.run(
        ["unshare", "--mount", "bash", "-uc", script],
        env=environment,
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )


def test_a_full_disk_loses_nothing_that_was_committed(video: Path, tmp_path: Path) -> None:
    done = in_namespace(
        f"""
        mount -t tmpfs -o size=700k none $MOUNT
        {EDGE_FEA} --database $MOUNT/a.db analyze {video} >/dev/null; echo "code $?"
        mount -o remount,size=16m $MOUNT
        python3 -c "import sqlite3; print(sqlite3.connect('$MOUNT/a.db').execute(
          'PRAGMA integrity_check').fetchone())"
        {EDGE_FEA} --database $MOUNT/a.db clips --format csv | wc -l
        {EDGE_FEA} --database $MOUNT/a.db analyze {video} >/dev/null; echo "again $?"
        {EDGE_FEA} --database $MOUNT/a.db clips --format csv | wc -l
        """,
        tmp_path,
    )
    lines = done.stdout.split("\n")
    assert lines[0] == "code 74", done
    assert "no space left" in done.stderr
    assert "Traceback" not in done.stderr
    assert lines[1] == "('ok',)"
    assert int(lines[2]) > 1 + 10
    assert lines[3] == "again 0"
    assert int(lines[4]) == 1 + 200


def test_a_read_only_folder_is_named(video: Path, tmp_path: Path) -> None:
    done = in_namespace(
        f"""
        mount -t tmpfs -o ro none $MOUNT
        {EDGE_FEA} --database $MOUNT/a.db analyze {video}; echo "code $?"
        """,
        tmp_path,
    )
    assert done.stdout.strip() == "code 73"
    assert f"store.database: this user cannot write in {tmp_path}" in done.stderr
    assert "Traceback" not in done.stderr
