"""What systemd is told, on a real notification socket."""

import logging
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge_fea.device.notifying import Notifier
from tests.conftest import FakeClock


class Manager:
    """The other end of NOTIFY_SOCKET."""

    def __init__(self, path: Path) -> None:
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(str(path))
        self.socket.setblocking(False)

    def heard(self) -> list[str]:
        messages = []
        while True:
            try:
                messages.append(self.socket.recv(4096).decode())
            except BlockingIOError:
                return messages


@pytest.fixture
def manager(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Manager]:
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
    manager = Manager(tmp_path / "notify")
    yield manager
    manager.socket.close()


@pytest.fixture
def notifier(manager: Manager, clock: FakeClock) -> Iterator[Notifier]:
    notifier = Notifier(clock)
    yield notifier
    notifier.close()


def test_the_first_frame_makes_it_ready(manager: Manager, notifier: Notifier) -> None:
    assert manager.heard() == []
    notifier.progress()
    assert manager.heard() == ["READY=1", "WATCHDOG=1"]


def test_the_watchdog_is_fed_by_frames_once_a_second(
    manager: Manager, notifier: Notifier, clock: FakeClock
) -> None:
    fed = 0
    for _ in range(41):
        notifier.progress()
        clock.time += 0.25
        fed += manager.heard().count("WATCHDOG=1")
    assert fed == 11


def test_without_frames_nothing_feeds_it(
    manager: Manager, notifier: Notifier, clock: FakeClock
) -> None:
    notifier.progress()
    manager.heard()
    clock.time += 100
    notifier.status("watching")
    notifier.extend()
    assert "WATCHDOG=1" not in "".join(manager.heard())


def test_a_status_is_sent_when_it_changes(manager: Manager, notifier: Notifier) -> None:
    for text in ("starting", "starting", "paused for 3 min", "starting"):
        notifier.status(text)
    assert manager.heard() == ["STATUS=starting", "STATUS=paused for 3 min", "STATUS=starting"]


def test_a_status_that_is_not_plain_english_is_sent_too(
    manager: Manager, notifier: Notifier
) -> None:
    notifier.status("läuft …")
    assert manager.heard() == ["STATUS=l?uft ?"]


def test_more_time_is_asked_for(manager: Manager, notifier: Notifier) -> None:
    notifier.extend(12.5)
    notifier.stopping()
    assert manager.heard() == ["EXTEND_TIMEOUT_USEC=12500000", "STOPPING=1"]


def test_more_time_is_asked_for_while_something_slow_runs(
    manager: Manager, notifier: Notifier
) -> None:
    with notifier.extending(1800):
        while not (heard := manager.heard()):
            pass
    assert heard == ["EXTEND_TIMEOUT_USEC=30000000"]


def test_a_watchdog_shorter_than_the_settings_allow_is_made_longer(
    manager: Manager, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WATCHDOG_USEC", "30000000")
    notifier = Notifier(clock, least_watchdog_s=80)
    notifier.progress()
    assert manager.heard()[0] == "READY=1\nWATCHDOG_USEC=80000000"
    notifier.close()
    notifier = Notifier(clock, least_watchdog_s=25)
    notifier.progress()
    assert manager.heard()[0] == "READY=1"
    notifier.close()


def test_outside_a_service_nothing_is_sent(
    clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    notifier = Notifier(clock)
    assert not notifier.in_service
    notifier.progress()
    with notifier.extending(60):
        notifier.stopping()
    notifier.close()


def test_a_manager_that_is_gone_is_told_once_and_recording_goes_on(
    manager: Manager, notifier: Notifier, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    manager.socket.close()
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            clock.time += 10
            notifier.progress()
    assert caplog.text.count("cannot be told") == 1
