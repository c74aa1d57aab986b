"""The main loop: frames from a source become observations, and observations become clips."""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Protocol

from edge_fea.capture.clock import zone_named
from edge_fea.capture.frame import Frame, Source
from edge_fea.config import ClipSettings
from edge_fea.device.stopping import StopRequest
from edge_fea.errors import SourceError, SourceStalled, StoreBusy, StoreError, StoreFull
from edge_fea.summary.clip import ClipAccumulator, Sufficiency
from edge_fea.summary.record import ClipSummary, EndedBy, Recording, clip_id
from edge_fea.vision.boxes import Grey
from edge_fea.vision.observation import Observation, Outcome

# Clips that wait in memory while the disk is full: a day of them.
_MOST_UNWRITTEN = 288


class Watcher(Protocol):
    """What turns a picture into an observation: ``vision.observer.Observer``."""

    def observe(self, picture: Grey, sequence: int, monotonic: float) -> Observation:
        """The observation of the frame due with number ``sequence``."""
        ...

    def forget(self) -> None:
        """Another patient is here: nothing of the one before is to be remembered."""
        ...


@dataclass(frozen=True, slots=True)
class Hooks:
    """What the recorder asks of, and tells, whoever runs it."""

    save: Callable[[ClipSummary], object]
    """Writes a clip, running (``ended_by`` None) or ended."""

    paused: Callable[[float], bool] = lambda _: False
    """Whether watching is paused at a moment of the source's clock."""

    patient: Callable[[], str | None] = lambda: None
    """The pseudonym of the patient who is here now; None for the recording's own."""

    recorded: Callable[[Observation], Observation] = lambda observation: observation
    """What is written down of an observation, in its place."""

    progress: Callable[[float], None] = lambda _: None
    """Called after each frame due, with its time."""

    observed: Callable[[Frame, Observation], None] = lambda _frame, _observation: None
    """Told what became of each frame that came, before progress; it keeps no picture."""

    trouble: Callable[[StoreError], None] = lambda _: None
    """Told when a clip cannot be written yet; it is kept in memory and tried again."""

    synchronized: Callable[[], bool | None] = lambda: None
    """Whether wall time is right; asked at the start of each clip."""


class Recorder:
    """Records one source into clips until it ends, fails or a stop is asked for.

    Every frame that was due gets exactly one observation: frames that never came are capture_lost.
    Clips are windows of the source's monotonic time, one after the other without a gap. ``seed``
    makes the clips' ids repeatable, for recorded files. ``keep`` gathers the ended clips in
    ``clips``; a camera's are not kept: they would fill a device's memory within weeks.
    """

    def __init__(
        self,
        recording: Recording,
        watcher: Watcher,
        settings: ClipSettings,
        hooks: Hooks,
        *,
        seed: bytes | None = None,
        keep: bool = True,
    ) -> None:
        self._recording = recording
        self._watcher = watcher
        self._hooks = hooks
        self._seed = seed
        self._keep = keep
        self._rate = recording.frame_rate
        self._length_s = settings.length_s
        # The first whole frame at or after the clip's end begins the next clip.
        self._frames_per_clip = math.ceil(settings.length_s * self._rate - 1e-9)
        self._frames_per_checkpoint = max(1, round(settings.checkpoint_s * self._rate))
        self._sufficiency = Sufficiency(settings.sufficient_coverage, settings.sufficient_seconds)
        self._zone = zone_named(recording.zone)
        self._next = 0
        self._wall_of_zero: datetime | None = None
        self._monotonic_of_zero = 0.0
        self._was_paused = False
        self._patient = recording.patient
        self._running: _RunningClip | None = None
        self._unwritten: list[ClipSummary] = []
        self.clips: list[ClipSummary] = []
        """The clips that have ended, where they are kept."""

    def record(self, source: Source, stop: StopRequest) -> None:
        """Record ``source``, which is open, to its end.

        Whatever ends the recording, the running clip is closed and saved first; then the error, if
        there was one, is raised again. Raises StoreBusy or StoreFull when clips could not be
        written even at the end.
        """
        frames, ended_by = source.frames(), EndedBy.STOP
        try:
            while (frame := stop.interruptible(lambda: next(frames, None))) is not None:
                self._take(frame)
        except SourceError as error:
            ended_by = EndedBy.CAMERA_LOST
            # A camera that has not given one frame has no clip either: nothing says when it was.
            if isinstance(error, SourceStalled) and self._wall_of_zero is not None:
                for _ in range(int(error.waited * self._rate)):
                    self._add(Observation(self._next, Outcome.CAPTURE_LOST))
            raise
        finally:
            try:
                self._end(ended_by)
            finally:
                self._write_out(last=True)

    def _take(self, frame: Frame) -> None:
        while self._next < frame.sequence:
            self._add(Observation(self._next, Outcome.CAPTURE_LOST))
        since_zero = frame.sequence / self._rate
        self._wall_of_zero = frame.wall - timedelta(seconds=since_zero)
        self._monotonic_of_zero = frame.monotonic - since_zero
        paused = self._hooks.paused(frame.monotonic)
        if paused and not self._was_paused:
            self._end(EndedBy.PAUSE)
        self._was_paused = paused
        patient = self._hooks.patient() or self._recording.patient
        if patient != self._patient:
            # Two patients never share a clip, nor a place that is held.
            self._end(EndedBy.STOP)
            self._watcher.forget()
        self._patient = patient
        if paused:
            observation = Observation(frame.sequence, Outcome.PAUSED)
        else:
            observation = self._watcher.observe(frame.pixels, frame.sequence, frame.monotonic)
        self._add(self._hooks.recorded(observation))
        self._hooks.observed(frame, observation)
        self._hooks.progress(frame.monotonic)

    def _add(self, observation: Observation) -> None:
        if self._running is None:
            self._running = self._start_clip(observation.sequence)
        clip = self._running
        clip.accumulator.add(observation)
        self._next = observation.sequence + 1
        due = clip.accumulator.frames_due
        if due >= self._frames_per_clip:
            self._end(EndedBy.FULL)
        elif due % self._frames_per_checkpoint == 0:
            self._save(self._summary(clip, None))

    def _start_clip(self, sequence: int) -> "_RunningClip":
        if self._wall_of_zero is None:
            raise RuntimeError("no frame has come yet")
        start = self._wall_of_zero + timedelta(seconds=sequence / self._rate)
        return _RunningClip(
            id=clip_id(start, self._seed),
            patient=self._patient,
            start=start,
            start_monotonic_s=self._monotonic_of_zero + sequence / self._rate,
            synchronized=self._hooks.synchronized(),
            accumulator=ClipAccumulator(sequence, self._rate),
        )

    def _end(self, reason: EndedBy) -> None:
        clip, self._running = self._running, None
        if clip is not None:
            summary = self._summary(clip, reason)
            if self._keep:
                self.clips.append(summary)
            self._save(summary)

    def _save(self, clip: ClipSummary) -> None:
        self._unwritten = [each for each in self._unwritten if each.clip_id != clip.clip_id]
        self._unwritten.append(clip)
        self._write_out()

    def _write_out(self, *, last: bool = False) -> None:
        """Write what is waiting. A full disk or a busy database does not end the recording.

        Clips wait in memory, up to a day's worth, and are written with the next one; what cannot
        be written even at the end raises.
        """
        while self._unwritten:
            try:
                self._hooks.save(self._unwritten[0])
            except (StoreBusy, StoreFull) as error:
                if last or len(self._unwritten) > _MOST_UNWRITTEN:
                    raise
                self._hooks.trouble(error)
                return
            del self._unwritten[0]

    def _summary(self, clip: "_RunningClip", reason: EndedBy | None) -> ClipSummary:
        duration = self._length_s if reason is EndedBy.FULL else None
        return ClipSummary(
            clip_id=clip.id,
            recording=replace(self._recording, patient=clip.patient),
            start=clip.start,
            start_monotonic_s=clip.start_monotonic_s,
            utc_offset=_offset(clip.start.astimezone(self._zone)),
            clock_synchronized=clip.synchronized,
            figures=clip.accumulator.figures(self._sufficiency, duration),
            ended_by=reason,
        )


@dataclass(frozen=True, slots=True)
class _RunningClip:
    id: str
    patient: str
    start: datetime
    start_monotonic_s: float
    synchronized: bool | None
    accumulator: ClipAccumulator


def _offset(local: datetime) -> str:
    text = local.strftime("%z")
    return f"{text[:3]}:{text[3:5]}"
