"""A stop is quick while waiting, and never mid-write."""

import os
import signal
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


def test_former_handlers_come_back() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with StopRequest().on_signals():
        assert signal.getsignal(signal.SIGTERM) != before
    assert signal.getsignal(signal.SIGTERM) == before
