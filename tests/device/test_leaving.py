"""A camera that does not let go ends the process, within a time."""

import signal
import subprocess
import sys

import pytest

from edge_fea.device.leaving import held
from edge_fea.errors import SourceStalled

SCRIPT = """
import ctypes
from edge_fea.device.leaving import held, leave_at_once
from edge_fea.errors import SourceStalled

class Stalled:
    '''Its end blocks in C with the interpreter lock held, as libcamera's does.'''
    def __enter__(self):
        return self
    def __exit__(self, *_):
        ctypes.PyDLL(None).pause()

print("begun", flush=True)
{what}
print("over", flush=True)
"""


def run(what: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", SCRIPT.format(what=what)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_a_stop_that_blocks_is_ended_by_the_kernel() -> None:
    done = run("with held(Stalled(), 0.2): print('saved', flush=True)")
    assert done.returncode == -signal.SIGALRM
    assert done.stdout == "begun\nsaved\n"


def test_after_a_stall_the_process_leaves_at_once() -> None:
    done = run("leave_at_once(SourceStalled('no frame for 5 s', 5.0))")
    assert done.returncode == 75
    assert done.stdout == "begun\n"


class Camera:
    def __init__(self) -> None:
        self.closed = 0

    def __enter__(self) -> "Camera":
        return self

    def __exit__(self, *_: object) -> None:
        self.closed += 1


@pytest.mark.parametrize("error", [None, SourceStalled("no frame", 5.0)])
def test_a_camera_that_lets_go_leaves_the_alarm_as_it_was(error: Exception | None) -> None:
    handler, timer = signal.getsignal(signal.SIGALRM), signal.getitimer(signal.ITIMER_REAL)
    camera = Camera()
    try:
        with held(camera):  # type: ignore[arg-type]
            if error is not None:
                raise error
    except SourceStalled:
        assert error is not None
    assert camera.closed == 1
    assert signal.getsignal(signal.SIGALRM) == handler
    after = signal.getitimer(signal.ITIMER_REAL)
    assert (after[0] > 0) == (timer[0] > 0)


def test_a_camera_that_cannot_be_opened_changes_nothing() -> None:
    class Missing(Camera):
        def __enter__(self) -> "Camera":
            raise ZeroDivisionError

    handler = signal.getsignal(signal.SIGALRM)
    with pytest.raises(ZeroDivisionError), held(Missing()):  # type: ignore[arg-type]
        pass
    assert signal.getsignal(signal.SIGALRM) == handler
