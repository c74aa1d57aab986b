"""edge-fea place: advice once a second, and leaving a camera that has stalled."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from edge_fea.capture.demo import DemoSource, Scene
from edge_fea.cli import place as place_module
from edge_fea.errors import SourceStalled
from tests.cli.conftest import Run
from tests.conftest import write_video


@pytest.fixture
def film(portrait_video: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The portrait's film, for a source that does not wait for the clock."""
    monkeypatch.setenv("EDGE_FEA_CAPTURE__SOURCE", "video")
    monkeypatch.setenv("EDGE_FEA_CAPTURE__PATH", str(portrait_video))
    monkeypatch.setattr("edge_fea.capture.clock.SystemClock.sleep", lambda *_: None)
    return portrait_video


def test_it_tells_once_a_second(run: Run, film: Path) -> None:
    done = run("place", "--seconds", 12)
    assert done.exit_code == 0
    lines = done.stdout.splitlines()
    told = [line for line in lines if re.match(r" *\d+ s  ", line)]
    assert [int(line.split()[0]) for line in told] == list(range(12))
    assert told[-1].endswith("good: the face is read")
    assert lines[-1] == "at the end: good: the face is read"


def test_it_ends_with_1_where_the_face_cannot_be_used(run: Run, film: Path) -> None:
    done = run("place", "--seconds", 24)
    assert done.exit_code == 1
    assert done.stdout.splitlines()[-1].startswith("at the end: no face in sight")


@pytest.mark.parametrize(
    ("scene", "words"),
    [
        (Scene("face_too_small", 8, scale=0.52), "too far"),
        (Scene("too_dark", 8, light=0.1), "too dark"),
        (Scene("ambiguous", 8, places=((0.3, 0.45), (0.7, 0.45))), "several people"),
        (Scene("too_near", 8, scale=2.4), "too near"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_staged_is_what_is_told(
    scene: Scene,
    words: str,
    run: Run,
    stage: DemoSource,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    video = write_video(tmp_path / "scene.avi", stage, [scene], rate=4)
    monkeypatch.setenv("EDGE_FEA_CAPTURE__SOURCE", "video")
    monkeypatch.setenv("EDGE_FEA_CAPTURE__PATH", str(video))
    monkeypatch.setattr("edge_fea.capture.clock.SystemClock.sleep", lambda *_: None)
    done = run("place", "--seconds", 8)
    assert done.stdout.splitlines()[-1].startswith(f"at the end: {words}"), done.output


def test_nothing_is_stored(run: Run, film: Path, tmp_path: Path) -> None:
    before = set(tmp_path.iterdir())
    run("place", "--seconds", 6)
    assert set(tmp_path.iterdir()) == before


@pytest.mark.parametrize("arguments", [(), ("--learn",)])
def test_a_camera_that_stalls_ends_the_process_at_once(
    run: Run, arguments: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Stalling:
        rate = 4.0

        def __enter__(self):
            return self

        def __exit__(self, *_):
            return None

        def frames(self):
            raise SourceStalled("Pi camera 0: no frame for 5 s", 5.0)

    left: list[SourceStalled] = []
    monkeypatch.setattr(place_module, "open_source", lambda *_: Stalling())
    monkeypatch.setattr(place_module, "leave_at_once", left.append)
    run("place", *arguments)
    (error,) = left
    assert error.exit_code == 75


def has_handlers(pid: int) -> bool:
    """Whether a process has a handler for SIGTERM yet: Python brings none of its own."""
    (mask,) = re.findall(r"SigCgt:\s*(\w+)", Path(f"/proc/{pid}/status").read_text())
    return bool(int(mask, 16) >> (signal.SIGTERM - 1) & 1)


@pytest.mark.parametrize("which", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize(("arguments", "code"), [((), 0), (("--learn",), 130)])
def test_a_signal_ends_it_with_what_was_seen(
    which: signal.Signals, arguments: tuple[str, ...], code: int, portrait_video: Path
) -> None:
    environment = {
        **os.environ,
        "EDGE_FEA_CAPTURE__SOURCE": "video",
        "EDGE_FEA_CAPTURE__PATH": str(portrait_video),
        "EDGE_FEA_INDICATOR__KIND": "none",
        "PYTHONUNBUFFERED": "1",
    }
    process = subprocess.Popen(
        [sys.executable, "-m", "edge_fea", "place", *arguments],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    if arguments:  # it says nothing while it learns
        while not has_handlers(process.pid):
            assert process.poll() is None
    else:
        while "good" not in process.stdout.readline():
            pass
    process.send_signal(which)
    out, errors = process.communicate(timeout=20)
    assert process.returncode == code, errors
    assert "at the end: good" in out or "ended early: no zone is proposed" in out
    assert errors == ""
