"""edge-fea run: a stop while the camera is being opened."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from edge_fea.store.database import open_for_reading

SCRIPT = """
import ctypes
import edge_fea.cli.watch as watch
from edge_fea.cli import cli

class Blocking:
    def __enter__(self):
        print("opening", flush=True)
        ctypes.PyDLL(None).sleep(60)
        ctypes.PyDLL(None).sleep(60)
    def __exit__(self, *_):
        pass

watch.open_source = lambda *_: Blocking()
cli()
"""


def test_a_stop_while_the_camera_opens_takes_no_two_seconds(tmp_path: Path) -> None:
    database = tmp_path / "a.db"
    process = subprocess.Popen(
        [sys.executable, "-c", SCRIPT, "--database", str(database), "run"],
        env={**os.environ, "EDGE_FEA_INDICATOR__KIND": "none"},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "opening\n"
    time.sleep(0.1)
    process.terminate()
    began = time.monotonic()
    assert process.wait(timeout=30) == -signal.SIGTERM
    assert time.monotonic() - began < 2
    process.stdout.close()
    # What was there before is whole, and nothing was begun.
    db = open_for_reading(database, busy_timeout=1)
    assert db.table("clips").count == 0
    db.close()
