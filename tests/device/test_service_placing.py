"""The first minutes after power-on: the light helps to place the device, and nobody is recorded."""

import logging
from collections.abc import Iterator

import pytest

from edge_fea.capture.frame import Frame
from edge_fea.config import ClipSettings, Settings
from edge_fea.device.lights import LIGHT, SEEN, TOO_FAR, UNSEEN
from edge_fea.device.recorder import Hooks, Recorder
from edge_fea.device.service import Service
from edge_fea.device.stopping import StopRequest
from edge_fea.summary.record import EndedBy, Recording
from edge_fea.vision.observation import Observation, Outcome
from tests.conftest import NOON, FakeClock
from tests.device.service_case import GREY, NOBODY, READ, UNIFORM, feed


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
