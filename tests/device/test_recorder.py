"""Frames become clips: windows, gaps, checkpoints, ends."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_fea.capture.frame import Frame
from edge_fea.config import ClipSettings
from edge_fea.device.recorder import Hooks, Recorder
from edge_fea.device.stopping import StopRequest
from edge_fea.errors import SourceStalled, SourceUnreadable, StoreBusy, StoreFull
from edge_fea.summary.record import ClipSummary, EndedBy, Recording
from edge_fea.vision.observation import Observation, Outcome
from tests.conftest import NOON

PICTURE = np.zeros((4, 4), np.uint8)
TEN_SECONDS = ClipSettings(length_s=10, checkpoint_s=3, development=True, sufficient_seconds=2)


class Script:
    """A source that gives the frames with these numbers, then ends or fails."""

    def __init__(self, numbers, rate: float = 4.0, error: Exception | None = None) -> None:
        self.numbers, self.rate, self.error = numbers, rate, error

    def __enter__(self):
        return self

    def __exit__(self, *_):
        return None

    def frames(self) -> Iterator[Frame]:
        for number in self.numbers:
            time = number / self.rate
            yield Frame(number, 500 + time, NOON + timedelta(seconds=time), PICTURE)
        if self.error is not None:
            raise self.error


class AlwaysValid:
    def observe(self, picture, sequence: int, monotonic: float) -> Observation:
        return Observation(sequence, Outcome.VALID, np.full(7, 1 / 7))

    def forget(self) -> None:
        self.forgotten = getattr(self, "forgotten", 0) + 1


def record(source: Script, rules=TEN_SECONDS, *, seed=None, zone="Europe/Berlin", **hooks):
    saved: list[ClipSummary] = []
    recording = Recording("dev", "P1", "0", "a" * 64, zone, "demo", source.rate, None)
    recorder = Recorder(
        recording, AlwaysValid(), rules, Hooks(save=saved.append, **hooks), seed=seed
    )
    recorder.record(source, StopRequest())
    return recorder.clips, saved


def recorder_with(save, watcher=None, *, keep=True, **hooks) -> Recorder:
    recording = Recording("dev", "P1", "0", "a" * 64, "Etc/UTC", "demo", 4.0, None)
    hooked = Hooks(save=save, **hooks)
    return Recorder(recording, watcher or AlwaysValid(), TEN_SECONDS, hooked, keep=keep)


def test_clips_follow_one_another_without_a_gap() -> None:
    clips, _ = record(Script(range(100)))
    assert [clip.ended_by for clip in clips] == [EndedBy.FULL, EndedBy.FULL, EndedBy.STOP]
    assert [clip.figures.duration_s for clip in clips] == [10, 10, 5]
    assert [clip.start - NOON for clip in clips] == [timedelta(seconds=s) for s in (0, 10, 20)]


@settings(max_examples=50, deadline=None)
@given(
    st.sets(st.integers(1, 300)),
    st.sampled_from([1.0, 2.5, 4.0, 7.3, 30.0]),
    st.integers(5, 20),
)
def test_every_frame_due_is_in_exactly_one_clip(kept: set[int], rate: float, length: int) -> None:
    numbers = sorted({0, *kept})
    rules = ClipSettings(length_s=length, development=True)
    clips, _ = record(Script(numbers, rate), rules)
    due = [clip.figures.coverage.frames_due for clip in clips]
    assert sum(due) == numbers[-1] + 1
    valid = [clip.figures.coverage.outcomes[Outcome.VALID] for clip in clips]
    lost = [clip.figures.coverage.outcomes[Outcome.CAPTURE_LOST] for clip in clips]
    assert sum(valid) == len(numbers)
    assert sum(valid) + sum(lost) == sum(due)


def test_frames_that_never_came_are_capture_lost() -> None:
    (clip,), _ = record(Script([0, 1, 2, 7, 8]))
    assert clip.figures.coverage.outcomes[Outcome.CAPTURE_LOST] == 4
    assert clip.figures.coverage.frames_captured == 5


def test_a_gap_longer_than_a_clip_fills_clips_of_its_own() -> None:
    clips, _ = record(Script([0, 100]))
    assert [clip.figures.coverage.outcomes[Outcome.VALID] for clip in clips] == [1, 0, 1]
    assert clips[1].start == NOON + timedelta(seconds=10)
    assert clips[1].figures.scores is None


def test_checkpoints_save_the_running_clip_under_the_same_id() -> None:
    clips, saved = record(Script(range(30)))
    running = [clip for clip in saved if clip.ended_by is None]
    assert len(running) == 2  # after 3 s and 6 s
    assert {clip.clip_id for clip in saved} == {clips[0].clip_id}
    assert running[-1].figures.coverage.frames_due == 24


def test_a_stalled_camera_closes_the_clip_with_the_time_waited() -> None:
    saved: list[ClipSummary] = []
    recorder = recorder_with(saved.append)
    with pytest.raises(SourceStalled):
        recorder.record(Script(range(8), error=SourceStalled("no frame", 5.0)), StopRequest())
    (clip,) = recorder.clips
    assert clip.ended_by is EndedBy.CAMERA_LOST
    assert clip.figures.coverage.outcomes[Outcome.CAPTURE_LOST] == 20
    assert saved[-1] == clip


def test_a_camera_that_never_gave_a_frame_leaves_no_clip() -> None:
    recorder = recorder_with(lambda _: None)
    with pytest.raises(SourceStalled):
        recorder.record(Script([], error=SourceStalled("no frame", 5.0)), StopRequest())
    assert recorder.clips == []


def test_a_file_that_breaks_off_keeps_what_was_read() -> None:
    recorder = recorder_with(lambda _: None)
    with pytest.raises(SourceUnreadable):
        recorder.record(Script(range(50), error=SourceUnreadable("cut")), StopRequest())
    assert [clip.ended_by for clip in recorder.clips] == [EndedBy.FULL, EndedBy.CAMERA_LOST]


def test_a_pause_ends_the_clip_and_is_counted_in_the_next() -> None:
    clips, _ = record(Script(range(40)), paused=lambda t: 502 <= t < 504)
    assert [clip.ended_by for clip in clips] == [EndedBy.PAUSE, EndedBy.STOP]
    assert clips[0].figures.coverage.frames_due == 8
    assert clips[1].figures.coverage.outcomes[Outcome.PAUSED] == 8
    assert clips[1].figures.coverage.frames_captured == 24


def test_a_full_disk_keeps_clips_in_memory_until_there_is_room() -> None:
    written: dict[str, ClipSummary] = {}
    troubles: list[Exception] = []

    def save(clip: ClipSummary) -> None:
        # The disk is full from the first clip's end until the third has begun.
        if 0 < len(troubles) < 3 or (clip.ended_by and not troubles):
            raise StoreFull("no space left")
        written[clip.clip_id] = clip

    recorder = recorder_with(save, trouble=troubles.append)
    recorder.record(Script(range(140)), StopRequest())
    assert len(troubles) == 3
    assert list(written.values()) == recorder.clips
    assert [clip.ended_by for clip in recorder.clips] == ["full"] * 3 + ["stop"]


def test_what_cannot_be_written_even_at_the_end_is_an_error() -> None:
    def save(clip: ClipSummary) -> None:
        raise StoreBusy("in use")

    with pytest.raises(StoreBusy):
        recorder_with(save).record(Script(range(20)), StopRequest())


def test_an_error_of_our_own_closes_the_clip_too() -> None:
    class Broken(AlwaysValid):
        def observe(self, picture, sequence: int, monotonic: float) -> Observation:
            if sequence == 10:
                raise ZeroDivisionError
            return super().observe(picture, sequence, monotonic)

    saved: list[ClipSummary] = []
    recorder = recorder_with(saved.append, watcher=Broken())
    with pytest.raises(ZeroDivisionError):
        recorder.record(Script(range(20)), StopRequest())
    assert saved[-1].ended_by is EndedBy.STOP
    assert saved[-1].figures.coverage.frames_due == 10


def test_the_same_seed_gives_the_same_clips() -> None:
    one, _ = record(Script(range(90)), seed=b"file")
    two, _ = record(Script(range(90)), seed=b"file")
    other, _ = record(Script(range(90)), seed=b"another")
    assert [clip.clip_id for clip in one] == [clip.clip_id for clip in two]
    assert {clip.clip_id for clip in one}.isdisjoint(clip.clip_id for clip in other)
    assert len({clip.clip_id for clip in one}) == 3


@pytest.mark.parametrize(
    ("zone", "offset"),
    [("Europe/Berlin", "+01:00"), ("America/St_Johns", "-03:30"), ("Asia/Kathmandu", "+05:45")],
)
def test_the_offset_is_the_zones_at_the_clips_start(zone: str, offset: str) -> None:
    (clip,), _ = record(Script(range(4)), zone=zone)
    assert clip.utc_offset == offset


def test_the_clock_is_asked_at_each_clips_start() -> None:
    answers = iter([False, True])
    clips, _ = record(Script(range(50)), synchronized=lambda: next(answers))
    assert [clip.clock_synchronized for clip in clips] == [False, True]


def test_a_clock_that_jumps_moves_starts_and_nothing_else() -> None:
    """As when the network comes hours after boot: the clock is set from 1970 to today."""

    class LateClock(Script):
        def frames(self) -> Iterator[Frame]:
            for frame in super().frames():
                wrong = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=frame.monotonic)
                yield replace(frame, wall=wrong) if frame.sequence < 60 else frame

    answers = iter([False, False, True, True])
    clips, _ = record(LateClock(range(160)), synchronized=lambda: next(answers))
    assert [clip.figures.duration_s for clip in clips] == [10, 10, 10, 10]
    assert [clip.figures.coverage.frames_due for clip in clips] == [40] * 4
    assert [clip.start.year for clip in clips] == [1970, 1970, 2026, 2026]
    assert [clip.clock_synchronized for clip in clips] == [False, False, True, True]
    monotonic = [clip.start_monotonic_s for clip in clips]
    assert monotonic == [500, 510, 520, 530]


def test_a_clock_that_jumps_back_keeps_the_order_on_the_monotonic_clock() -> None:
    class SetBack(Script):
        def frames(self) -> Iterator[Frame]:
            for frame in super().frames():
                late = frame.sequence >= 40
                yield replace(frame, wall=frame.wall - timedelta(hours=3 if late else 0))

    clips, _ = record(SetBack(range(80)))
    assert clips[1].start < clips[0].start
    assert clips[1].start_monotonic_s - clips[0].start_monotonic_s == 10


@pytest.mark.parametrize(
    ("zone", "before", "offsets"),
    [
        ("Europe/Berlin", datetime(2026, 3, 29, 0, 59, 50, tzinfo=UTC), ["+01:00", "+02:00"]),
        ("Europe/Berlin", datetime(2026, 10, 25, 0, 59, 50, tzinfo=UTC), ["+02:00", "+01:00"]),
        ("America/New_York", datetime(2026, 3, 8, 6, 59, 50, tzinfo=UTC), ["-05:00", "-04:00"]),
        ("America/New_York", datetime(2026, 11, 1, 5, 59, 50, tzinfo=UTC), ["-04:00", "-05:00"]),
    ],
)
def test_across_a_change_of_clocks_only_the_offset_changes(
    zone: str, before: datetime, offsets: list[str]
) -> None:
    class Then(Script):
        def frames(self) -> Iterator[Frame]:
            for frame in super().frames():
                yield replace(frame, wall=frame.wall - NOON + before)

    clips, _ = record(Then(range(80)), zone=zone)
    assert [clip.utc_offset for clip in clips] == offsets
    assert clips[1].start - clips[0].start == timedelta(seconds=10)


def test_two_patients_never_share_a_clip() -> None:
    here = iter(["P1"] * 10 + ["P2"] * 10 + [None] * 4)
    clips, _ = record(Script(range(24)), patient=lambda: next(here))
    assert [clip.recording.patient for clip in clips] == ["P1", "P2", "P1"]
    assert [clip.figures.coverage.frames_due for clip in clips] == [10, 10, 4]


def test_what_was_known_of_a_patient_is_forgotten_with_the_next() -> None:
    here = iter(["P1"] * 8 + ["P2"] * 8)
    watcher = AlwaysValid()
    saved: list[ClipSummary] = []
    recorder_with(saved.append, watcher=watcher, patient=lambda: next(here)).record(
        Script(range(16)), StopRequest()
    )
    assert watcher.forgotten == 1


def test_progress_is_told_for_each_frame() -> None:
    told: list[float] = []
    record(Script(range(8)), progress=told.append)
    assert told == [500 + n / 4 for n in range(8)]


def test_a_cameras_clips_do_not_fill_the_memory() -> None:
    saved: list[ClipSummary] = []
    recorder = recorder_with(saved.append, keep=False)
    recorder.record(Script(range(100)), StopRequest())
    assert len({clip.clip_id for clip in saved}) == 3
    assert recorder.clips == []
