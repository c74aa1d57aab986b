"""The doctor examines a real process that records, and one that does what it must not."""

import os
import resource
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge_fea.capture.clock import SystemClock, boot_id
from edge_fea.config.layers import load
from edge_fea.device.doctor.checks import CHECKS, PRIVACY, examine
from edge_fea.device.doctor.findings import Case, Finding, State
from edge_fea.device.doctor.machine import Machine

ROOT = Path(__file__).parents[2]
# Holds the recorder's lock, keeps a picture open, listens to the network, and starts a child.
LEAK = """
import socket, subprocess, sys, time
from pathlib import Path
from edge_fea.store.clips import ClipRecorder
from tests.conftest import NOON
recorder = ClipRecorder(Path(sys.argv[1]), busy_timeout=1, now=NOON)
picture = open(sys.argv[2], "wb")
door = socket.create_server(("127.0.0.1", 0))
child = subprocess.Popen(["sleep", "60"], pass_fds=[picture.fileno()])
print("recording", flush=True)
sys.stdin.read()
child.kill()
"""


def no_cores() -> None:
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def started(command: list[str], line: str, stream: str, **environment: str) -> subprocess.Popen:
    process = subprocess.Popen(
        command,
        cwd=ROOT,
        env={**os.environ, **environment},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=no_cores,
    )
    told = getattr(process, stream)
    while line not in (said := told.readline()):
        assert said, f"ended before it said {line!r}"
    return process


@pytest.fixture
def recording(tmp_path: Path, portrait_video: Path) -> Iterator[Path]:
    """The service's loop, which plays a video as a camera would; the database."""
    database = tmp_path / "data" / "edge-fea.db"
    database.parent.mkdir(mode=0o750)
    process = started(
        [sys.executable, "-m", "edge_fea", "--database", str(database), "run"],
        "watching",
        "stderr",
        EDGE_FEA_CAPTURE__SOURCE="video",
        EDGE_FEA_CAPTURE__PATH=str(portrait_video),
    )
    with process:
        yield database
        process.kill()


def examined(database: Path, checks=PRIVACY) -> dict[str, Finding]:
    settings = load(overrides={"store.database": database}, environment=False).settings
    case = Case(settings, Machine(), SystemClock(), boot_id())
    return {finding.name: finding for finding in examine(case, checks)}


def test_a_recording_has_its_database_open_and_nothing_else(recording: Path) -> None:
    found = examined(recording)
    assert found["process"].state is State.OK, found
    assert found["files"].state is State.OK, found
    written = found["files"].what.partition(";")[0].removeprefix("open for writing: ").split(", ")
    suffixes = ("", "-wal", "-shm", ".lock", "-journal")
    assert "edge-fea.db" in written
    assert set(written) <= {f"edge-fea.db{end}" for end in suffixes}


def test_a_recording_opens_no_socket_and_shares_no_memory(recording: Path) -> None:
    found = examined(recording)
    assert found["sockets"].state is State.OK, found
    assert found["memory maps"].state is State.OK, found
    assert found["core dumps"].what == "none: the limit is 0"


def test_a_recording_that_was_started_by_hand_is_not_said_to_be_confined(recording: Path) -> None:
    found = examined(recording)
    assert found["confinement"].state is State.WARN
    assert found["bytes written"].state is State.UNKNOWN


def test_the_other_checks_leave_a_recording_alone(recording: Path) -> None:
    found = examined(recording, CHECKS)
    assert "records from it; it is left alone" in found["camera"].what
    assert found["database"].state is State.OK, found
    assert found["permissions"].state is State.OK, found
    assert found["network"].state is found["runtime"].state is State.OK, found


def test_a_process_that_keeps_a_picture_and_talks_is_found_out(tmp_path: Path) -> None:
    database, picture = tmp_path / "edge-fea.db", tmp_path / "patient.jpg"
    process = started(
        [sys.executable, "-c", LEAK, str(database), str(picture)], "recording", "stdout"
    )
    with process:
        found = examined(database)
        process.communicate("")
    assert (found["files"].state, found["files"].what) == (
        State.BAD,
        f"open for writing: {picture}",
    )
    assert (found["sockets"].state, found["sockets"].what) == (
        State.BAD,
        "sockets that can leave the machine: 1 tcp",
    )
    assert found["process"].state is State.WARN
