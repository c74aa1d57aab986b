"""A run of the recorder with all that a device has around it: light, button, pause, systemd."""

import logging
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from gpiozero.pins.mock import MockFactory

from edge_fea.capture.frame import Frame
from edge_fea.config import ClipSettings, IndicatorSettings, Settings, StoreSettings
from edge_fea.device.lights import (
    CAMERA_STALLED,
    LIGHT,
    PAUSED,
    SEEN,
    SETTINGS,
    STARTING,
    TOO_FAR,
    UNSEEN,
    UNWRITTEN,
)
from edge_fea.device.recorder import Hooks, Recorder
from edge_fea.device.service import Service
from edge_fea.device.starts import SOUND_AFTER_S, Starts
from edge_fea.device.stopping import StopRequest
from edge_fea.errors import ConfigError, SourceStalled, StoreFull
from edge_fea.summary.record import ClipSummary, EndedBy, Recording
from edge_fea.vision.boxes import Box
from edge_fea.vision.observation import Observation, Outcome
from tests.conftest import NOON, FakeClock
from tests.device.test_notifying import Manager

GREY = np.full((480, 640), 120, np.uint8)
UNIFORM = np.full(7, 1 / 7)
READ = Observation(0, Outcome.VALID, UNIFORM, box=Box(260, 170, 120, 120))
NOBODY = Observation(0, Outcome.NO_FACE)


@pytest.fixture
def settings(tmp_path: Path, pins: MockFactory) -> Settings:
    """A light on pin 17, a button on pin 4."""
    return Settings(
        store=StoreSettings(database=tmp_path / "a.db"),
        clip=ClipSettings(length_s=60, development=True),
        indicator=IndicatorSettings(
            kind="gpio", gpio_pin=17, button_pin=4, requests=tmp_path / "light"
        ),
    )


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


def feed(
    service: Service, clock: FakeClock, observation: Observation, seconds: float, picture=GREY
) -> None:
    """So many seconds of frames with this outcome."""
    for _ in range(int(4 * seconds)):
        clock.time += 0.25
        service.observed(Frame(0, clock.time, clock.now(), picture), observation)
        service.progress(clock.time)


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


def test_in_the_first_ten_minutes_the_light_helps_to_place(
    settings: Settings, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    clock.time = 30.0
    small = Observation(0, Outcome.FACE_TOO_SMALL)
    dark = Observation(0, Outcome.TOO_DARK)
    with caplog.at_level(logging.INFO), Service(settings, clock) as service:
        feed(service, clock, NOBODY, 6)
        assert service.indicator.sign() is UNSEEN
        feed(service, clock, small, 6)
        assert service.indicator.sign() is TOO_FAR
        feed(service, clock, dark, 6)
        assert service.indicator.sign() is LIGHT
        feed(service, clock, READ, 6)
        assert service.indicator.sign() is SEEN
        clock.time = 601.0
        feed(service, clock, small, 6)
        assert service.indicator.sign() is UNSEEN
    said = [record.message for record in caplog.records if "placing" in record.message]
    assert [text.partition(":")[2].partition(":")[0].strip() for text in said] == [
        "no face in sight",
        "too far",
        "light from behind",
        "good",
        "",
    ]


def recorded_of(
    service: Service, clock: FakeClock, observation: Observation, seconds: float
) -> list[Outcome]:
    """What is written down of so many seconds of frames with this outcome."""
    kept = []
    for _ in range(int(4 * seconds)):
        clock.time += 0.25
        kept.append(service.recorded(observation).outcome)
        service.observed(Frame(0, clock.time, clock.now(), GREY), observation)
    return kept


@pytest.fixture
def placed(settings: Settings, clock: FakeClock) -> Iterator[Service]:
    """Half a minute after power-on."""
    clock.time = 30.0
    with Service(settings, clock) as service:
        yield service


def test_whoever_places_the_device_is_not_recorded(placed: Service, clock: FakeClock) -> None:
    """Until the place has been good for half a minute; then the light goes on helping."""
    assert set(recorded_of(placed, clock, READ, 29)) == {Outcome.PAUSED}
    assert placed.indicator.sign() is SEEN
    recorded_of(placed, clock, READ, 2)
    assert set(recorded_of(placed, clock, READ, 10)) == {Outcome.VALID}
    recorded_of(placed, clock, Observation(0, Outcome.FACE_TOO_SMALL), 6)
    assert placed.indicator.sign() is TOO_FAR
    assert set(recorded_of(placed, clock, READ, 10)) == {Outcome.VALID}


def test_a_place_is_good_only_when_it_stays_so(placed: Service, clock: FakeClock) -> None:
    recorded_of(placed, clock, READ, 20)
    recorded_of(placed, clock, NOBODY, 6)
    assert set(recorded_of(placed, clock, READ, 30)) == {Outcome.PAUSED}


def test_a_pause_does_not_count_as_a_good_place(placed: Service, clock: FakeClock) -> None:
    recorded_of(placed, clock, READ, 20)
    clock.time += 60
    assert set(recorded_of(placed, clock, READ, 29)) == {Outcome.PAUSED}


def test_after_ten_minutes_all_is_recorded(placed: Service, clock: FakeClock) -> None:
    recorded_of(placed, clock, NOBODY, 10)
    clock.time = 599.0
    assert set(recorded_of(placed, clock, READ, 0.5)) == {Outcome.PAUSED}
    clock.time = 600.0
    assert set(recorded_of(placed, clock, READ, 1)) == {Outcome.VALID}


def test_what_is_no_face_that_is_read_is_recorded_as_it_is_while_placing(
    placed: Service,
) -> None:
    for outcome in set(Outcome) - {Outcome.VALID}:
        observation = Observation(0, outcome)
        assert placed.recorded(observation) is observation


def test_nothing_but_the_outcome_is_kept_of_a_face_that_is_withheld(placed: Service) -> None:
    read = Observation(7, Outcome.VALID, UNIFORM, faces=1, motion=0.5, box=READ.box)
    assert placed.recorded(read) == Observation(7, Outcome.PAUSED)


def test_without_a_time_for_placing_all_is_recorded(settings: Settings, clock: FakeClock) -> None:
    never = settings.indicator.model_copy(update={"placement_minutes": 0.0})
    clock.time = 30.0
    with Service(settings.model_copy(update={"indicator": never}), clock) as service:
        assert service.recorded(READ) is READ


def test_placing_ends_no_clip_and_every_frame_due_has_its_outcome(
    placed: Service, clock: FakeClock
) -> None:
    class Camera:
        rate = 4.0

        def frames(self) -> Iterator[Frame]:
            for number in range(200):
                clock.time += 0.25
                yield Frame(number, clock.time, NOON, GREY)

    class Watcher:
        def observe(self, picture, sequence: int, monotonic: float) -> Observation:
            return Observation(sequence, Outcome.VALID, UNIFORM, box=READ.box)

        def forget(self) -> None:
            raise AssertionError

    recording = Recording("dev", "P1", "0", "a" * 64, "Etc/UTC", "demo", 4.0, None)
    hooks = Hooks(
        lambda _: None, paused=placed.paused, recorded=placed.recorded, observed=placed.observed
    )
    recorder = Recorder(recording, Watcher(), ClipSettings(), hooks)
    recorder.record(Camera(), StopRequest())
    (clip,) = recorder.clips
    coverage = clip.figures.coverage
    assert clip.ended_by is EndedBy.STOP
    assert coverage.frames_due == sum(coverage.outcomes.values()) == 200
    # The frame with which half a minute is over is the last that is withheld.
    assert coverage.outcomes[Outcome.PAUSED] == 121
    assert coverage.outcomes[Outcome.VALID] == 79


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
