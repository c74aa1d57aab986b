"""A run of the recorder with all that a device has around it: light, button, pause, systemd."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from gpiozero.pins.mock import MockFactory

from edge_fea.capture.frame import Frame
from edge_fea.config import ClipSettings, IndicatorSettings, Settings
from edge_fea.device.lights import (
    CAMERA_STALLED,
    PAUSED,
    SEEN,
    SETTINGS,
    STARTING,
    UNSEEN,
    UNWRITTEN,
)
from edge_fea.device.recorder import Hooks, Recorder
from edge_fea.device.service import Service
from edge_fea.device.starts import SOUND_AFTER_S, Starts
from edge_fea.device.stopping import StopRequest
from edge_fea.errors import ConfigError, SourceStalled, StoreFull
from edge_fea.summary.record import ClipSummary, EndedBy, Recording
from edge_fea.vision.observation import Observation, Outcome
from tests.conftest import NOON, FakeClock
from tests.device.service_case import GREY, NOBODY, READ, UNIFORM, feed
from tests.device.test_notifying import Manager


@pytest.fixture
def service(settings: Settings, clock: FakeClock) -> Iterator[Service]:
    """Long after power-on."""
    clock.time = 5000.0
    with Service(settings, clock) as service:
        yield service


@pytest.fixture
def manager(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Manager]:
    """systemd, as the service sees it."""
    for name in ("state", "runtime"):
        (tmp_path / name).mkdir()
        monkeypatch.setenv(f"{name.upper()}_DIRECTORY", str(tmp_path / name))
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
    manager = Manager(tmp_path / "notify")
    yield manager
    manager.socket.close()


def starts(folder: Path) -> Starts:
    return Starts(folder / "state" / "starts.json", folder / "runtime" / "reboot", "boot")


def test_until_the_first_frame_it_is_starting(service: Service) -> None:
    assert service.indicator.sign() is STARTING


def test_the_light_says_whether_the_face_is_read(service: Service, clock: FakeClock) -> None:
    feed(service, clock, READ, 1)
    assert service.indicator.sign() is SEEN
    feed(service, clock, NOBODY, 3)
    assert service.indicator.sign() is SEEN  # a face that is lost for a moment
    feed(service, clock, NOBODY, 0.25)
    assert service.indicator.sign() is UNSEEN


def test_a_camera_that_stalls_is_no_longer_watching(service: Service, clock: FakeClock) -> None:
    feed(service, clock, READ, 1)
    clock.time += 25
    assert service.indicator.sign() is CAMERA_STALLED


def test_a_disk_that_is_full_is_shown_until_it_is_no_longer(
    service: Service, clock: FakeClock
) -> None:
    feed(service, clock, READ, 1)
    service.troubled(StoreFull("no space left"))
    feed(service, clock, READ, 60)
    assert service.indicator.sign() is UNWRITTEN
    feed(service, clock, READ, 11)
    assert service.indicator.sign() is SEEN


def test_a_press_of_the_button_ends_looking(
    service: Service, clock: FakeClock, pins: MockFactory
) -> None:
    """Through the recorder: what is paused is not looked at, and counted as paused."""

    class Camera:
        rate = 4.0

        def frames(self) -> Iterator[Frame]:
            for number in range(80):
                clock.time += 0.25
                if number in (20, 60):  # the second press ends the pause
                    pins.pin(4).drive_low()
                    pins.pin(4).drive_high()
                yield Frame(number, clock.time, NOON, GREY)

    class Watcher:
        looked = 0

        def observe(self, picture, sequence: int, monotonic: float) -> Observation:
            self.looked += 1
            assert service.indicator.sign().watching or sequence in (0, 60)
            return Observation(sequence, Outcome.VALID, UNIFORM)

        def forget(self) -> None:
            raise AssertionError

    watcher, clips = Watcher(), []
    signs = []

    def observed(frame: Frame, observation: Observation) -> None:
        service.observed(frame, observation)
        signs.append(service.indicator.sign())

    def save(clip: ClipSummary) -> None:
        clips.append(clip)

    recording = Recording("dev", "P1", "0", "a" * 64, "Etc/UTC", "demo", 4.0, None)
    rules = ClipSettings(length_s=60, development=True)
    hooks = Hooks(save, paused=service.paused, observed=observed, progress=service.progress)
    recorder = Recorder(recording, watcher, rules, hooks)
    recorder.record(Camera(), StopRequest())
    assert watcher.looked == 40
    assert [clip.ended_by for clip in recorder.clips] == [EndedBy.PAUSE, EndedBy.STOP]
    assert recorder.clips[1].figures.coverage.outcomes[Outcome.PAUSED] == 40
    assert signs == [SEEN] * 20 + [PAUSED] * 40 + [SEEN] * 20


def test_systemd_is_told_in_words(settings: Settings, clock: FakeClock, manager: Manager) -> None:
    with Service(settings, clock) as service:
        assert "READY=1" not in manager.heard()
        feed(service, clock, READ, 1)
        assert manager.heard() == [
            "STATUS=it watches, and reads the face",
            "READY=1",
            "WATCHDOG=1",
        ]
        service.pauses.begin(600)
        feed(service, clock, Observation(0, Outcome.PAUSED), 1)
        assert manager.heard()[0] == "STATUS=paused for another 10 min"
    assert manager.heard()[-1] == "STOPPING=1"


def test_what_ended_a_run_is_known_at_the_next(
    settings: Settings, clock: FakeClock, manager: Manager, tmp_path: Path
) -> None:
    with pytest.raises(SourceStalled), Service(settings, clock):
        raise SourceStalled("no frame", 5.0)
    assert starts(tmp_path).history.last is CAMERA_STALLED
    with Service(settings, clock):
        pass
    assert starts(tmp_path).history.last is None


def test_a_wanted_end_is_known_though_the_camera_does_not_let_go(
    settings: Settings, clock: FakeClock, manager: Manager, tmp_path: Path, pins: MockFactory
) -> None:
    """The kernel may end the process before the service's own end."""
    service = Service(settings, clock)
    with service:
        feed(service, clock, READ, 1)
        service.ended()
        assert not starts(tmp_path).history.running
        assert not pins.pin(17).state
        assert starts(tmp_path).begin().failures == ()


def test_former_failures_are_waited_for_and_shown(
    settings: Settings, clock: FakeClock, manager: Manager
) -> None:
    for _ in range(4):
        with pytest.raises(SourceStalled), Service(settings, clock):
            raise SourceStalled("no frame", 5.0)
    manager.heard()
    shown = []
    with Service(settings, clock) as service:
        sleep = clock.sleep

        def sleeping(seconds: float) -> None:
            shown.append(service.indicator.sign())
            sleep(seconds)

        clock.sleep = sleeping  # type: ignore[method-assign]
        assert service.wait_until_due(StopRequest())
        assert service.indicator.sign() is STARTING
    assert sum(clock.slept) == 20
    assert set(shown) == {CAMERA_STALLED}
    heard = manager.heard()
    assert "STATUS=trying again in 20 s" in heard
    assert "EXTEND_TIMEOUT_USEC=30000000" in heard


def test_a_stop_does_not_wait(settings: Settings, clock: FakeClock, manager: Manager) -> None:
    for _ in range(9):
        with pytest.raises(SourceStalled), Service(settings, clock):
            raise SourceStalled("no frame", 5.0)
    stop = StopRequest()
    stop.ask()
    with Service(settings, clock) as service:
        assert not service.wait_until_due(stop)
    assert clock.slept == []


def test_a_wrong_setting_is_an_error_after_the_wait(
    clock: FakeClock, manager: Manager, tmp_path: Path
) -> None:
    wrong = ConfigError("clip.length_s must be 300 to 600 s")
    for _ in range(3):
        with pytest.raises(ConfigError), Service(Settings(), clock, wrong) as service:
            service.wait_until_due(StopRequest())
        manager.heard()
    assert sum(clock.slept) == 5
    assert starts(tmp_path).history.last is SETTINGS


def test_a_light_that_was_asked_for_and_is_missing_is_a_wrong_setting(
    settings: Settings, clock: FakeClock
) -> None:
    # The button has the pin already.
    both = settings.model_copy(update={"indicator": IndicatorSettings(button_pin=17)})
    with (
        Service(both, clock),
        pytest.raises(ConfigError, match=r"indicator\.gpio_pin"),
        Service(settings, clock) as service,
    ):
        service.wait_until_due(StopRequest())


def test_a_run_that_goes_well_for_long_enough_is_sound(
    settings: Settings, clock: FakeClock, manager: Manager, tmp_path: Path
) -> None:
    for _ in range(3):
        with pytest.raises(SourceStalled), Service(settings, clock):
            raise SourceStalled("no frame", 5.0)
    with Service(settings, clock) as service:
        feed(service, clock, READ, 1)
        assert len(starts(tmp_path).history.failures) == 3
        clock.time += SOUND_AFTER_S
        feed(service, clock, READ, 1)
        assert starts(tmp_path).history.failures == ()
