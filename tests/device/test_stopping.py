"""A stop is quick while waiting, and never mid-write."""

import os
import signal
import subprocess
import sys
import threading
import time

import pytest

from edge_fea.device.stopping import StopRequest


def test_a_signal_breaks_a_wait_off() -> None:
    stop = StopRequest()
    with stop.on_signals():
        threading.Timer(0.1, os.kill, (os.getpid(), signal.SIGTERM)).start()
        began = time.monotonic()
        assert stop.interruptible(lambda: time.sleep(5)) is None
    assert stop.requested
    assert time.monotonic() - began < 2


@pytest.mark.parametrize("which", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_at_any_other_time_is_only_noted(which: signal.Signals) -> None:
    stop = StopRequest()
    finished = False
    with stop.on_signals():
        os.kill(os.getpid(), which)
        time.sleep(0.01)
        finished = True
    assert finished
    assert stop.requested


def test_a_stop_asked_for_before_the_wait_is_not_lost() -> None:
    stop = StopRequest()
    stop.ask()
    waited: list[int] = []
    assert stop.interruptible(lambda: waited.append(1)) is None
    assert waited == []


def test_a_wait_that_is_not_interrupted_answers() -> None:
    assert StopRequest().interruptible(lambda: 7) == 7


SCRIPT = """
import ctypes
from contextlib import ExitStack
from edge_fea.device.leaving import held
from edge_fea.device.stopping import StopRequest

class Blocking:
    '''It opens in C, with the interpreter lock held, and never ends.'''
    def __enter__(self):
        print("opening", flush=True)
        ctypes.PyDLL(None).pause()
        ctypes.PyDLL(None).pause()
    def __exit__(self, *_):
        pass

stop = StopRequest()
with stop.on_signals():
    {before}
    with held(Blocking(), opening=stop.at_once()):
        pass
"""


def test_a_stop_does_not_wait_for_a_camera_that_is_being_opened() -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", SCRIPT.format(before="pass")], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "opening\n"
    time.sleep(0.1)
    process.terminate()
    began = time.monotonic()
    assert process.wait(timeout=20) == -signal.SIGTERM
    assert time.monotonic() - began < 2
    process.stdout.close()


def test_a_stop_that_came_just_before_the_camera_is_opened_is_not_lost() -> None:
    before = "stop.requested = True"
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT.format(before=before)],
        stdout=subprocess.PIPE,
        timeout=20,
        check=False,
    )
    assert (done.returncode, done.stdout) == (-signal.SIGTERM, b"")


def test_once_the_camera_is_open_a_stop_is_noted_as_ever() -> None:
    stop = StopRequest()
    with stop.on_signals():
        with stop.at_once():
            pass
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(0.01)
    assert stop.requested


def test_former_handlers_come_back() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with StopRequest().on_signals():
        assert signal.getsignal(signal.SIGTERM) != before
    assert signal.getsignal(signal.SIGTERM) == before
