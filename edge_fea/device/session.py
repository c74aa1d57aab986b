"""Puts the wings together: settings in, a recorder that writes into the database out."""

import hashlib
import json
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Self

from edge_fea import __version__
from edge_fea.capture.clock import Clock, RestoredClock, boot_id, system_zone, wall_of_boot
from edge_fea.capture.frame import Frame
from edge_fea.config import Settings
from edge_fea.device.anchoring import DailyAnchor
from edge_fea.device.housekeeping import DailyRetention
from edge_fea.device.recorder import Hooks, Recorder
from edge_fea.errors import NotFoundError, StoreError
from edge_fea.store.audit import AuditTrail
from edge_fea.store.clips import ClipRecorder
from edge_fea.summary.baseline import BaselineRule
from edge_fea.summary.record import ClipSummary, Recording
from edge_fea.vision.classifier import Classifier, default_network
from edge_fea.vision.observation import Observation
from edge_fea.vision.observer import Observer


def load_classifier(settings: Settings) -> Classifier:
    """The network that the settings name, or the one that ships."""
    vision = settings.vision
    return Classifier(
        vision.network or default_network(), runtime=vision.runtime, threads=vision.threads
    )


def baseline_rule(settings: Settings) -> BaselineRule:
    """When there is enough for a baseline, by the settings."""
    rule = settings.baseline
    return BaselineRule(rule.days, rule.least_days, rule.least_clips)


class Session:
    """One network and one database, for any number of recordings one after the other."""

    def __init__(self, settings: Settings, clock: Clock) -> None:
        self.settings = settings
        self.classifier = load_classifier(settings)
        self.store = ClipRecorder(
            settings.store.database,
            busy_timeout=settings.store.busy_timeout_s,
            now=clock.now(),
            rule=baseline_rule(settings),
            keep_series=settings.store.keep_series,
            series_days=settings.store.series_days,
        )
        self.boot = boot_id()
        self.clock = RestoredClock(clock, self.store.last_known(self.boot))
        """For whatever records now: never before what is in the database already."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.store.close()

    def live(
        self,
        on_clip: Callable[[ClipSummary], None],
        on_trouble: Callable[[StoreError], None] = lambda _: None,
        *,
        paused: Callable[[float], bool] = lambda _: False,
        recorded: Callable[[Observation], Observation] = lambda observation: observation,
        observed: Callable[[Frame, Observation], None] = lambda _frame, _observation: None,
        progress: Callable[[float], None] = lambda _: None,
    ) -> Recorder:
        """A recorder for a camera; what the last four are is said in ``recorder.Hooks``."""
        hooks = Hooks(
            save=self._saving(on_clip),
            synchronized=self.clock.synchronized,
            trouble=on_trouble,
            patient=self.store.patient_present,
            paused=paused,
            recorded=recorded,
            observed=observed,
            progress=progress,
        )
        source = self.settings.capture.source
        # A file that plays as a camera would has a clock of its own, which is not this boot's.
        boot = self.boot if source in ("picamera2", "webcam") else None
        return self._recorder(source, hooks, boot=boot)

    def network_before(self) -> str | None:
        """The network whose baseline has ended because this one is another; its SHA-256."""
        patient = self.store.patient_present() or self.settings.device.patient
        sha256 = self.classifier.manifest.sha256
        return self.store.network_before(patient, sha256, self.clock.now())

    def recorded(
        self,
        kind: str,
        *,
        seed: bytes,
        progress: Callable[[float], None] = lambda _: None,
        paused: Callable[[float], bool] = lambda _: False,
    ) -> Recorder:
        """A recorder for a file: its clips' ids follow from ``seed``, settings and network."""
        hooks = Hooks(save=self.store.save, progress=progress, paused=paused)
        return self._recorder(kind, hooks, seed=seed + self._fingerprint())

    def _recorder(
        self, kind: str, hooks: Hooks, *, boot: str | None = None, seed: bytes | None = None
    ) -> Recorder:
        settings = self.settings
        recording = Recording(
            device_id=settings.device.identity(),
            patient=settings.device.patient,
            app_version=__version__,
            model_sha256=self.classifier.manifest.sha256,
            zone=settings.device.time_zone or system_zone(),
            source=kind,
            frame_rate=settings.capture.frame_rate,
            boot_id=boot,
        )
        observer = Observer(settings.vision, self.classifier)
        keep = seed is not None
        return Recorder(recording, observer, settings.clip, hooks, seed=seed, keep=keep)

    def _saving(self, on_clip: Callable[[ClipSummary], None]) -> Callable[[ClipSummary], None]:
        store = self.settings.store
        trail = AuditTrail(store.audit, busy_timeout=store.busy_timeout_s)
        daily = DailyRetention(self.store.retention, trail, store.retention_days, self.clock)
        anchor = DailyAnchor(self.store, trail, self.clock)
        anchor.move()

        def save(clip: ClipSummary) -> None:
            zero = wall_of_boot(self.clock)
            if zero is not None:
                self.store.synchronized(self.boot, zero)
            if self.store.save(clip) and clip.ended_by is not None:
                on_clip(clip)
                daily.after_clip()
                anchor.move()

        return save

    def _fingerprint(self) -> bytes:
        """What, beside the file, decides a clip's figures: the same again is the same clip."""
        settings = self.settings
        relevant = {
            "vision": settings.vision.model_dump(
                mode="json", exclude={"network", "runtime", "threads"}
            ),
            "clip": settings.clip.model_dump(mode="json", exclude={"checkpoint_s", "development"}),
            "frame_rate": settings.capture.frame_rate,
            "device": settings.device.identity(),
            "patient": settings.device.patient,
            "network": self.classifier.manifest.sha256,
        }
        return json.dumps(relevant, sort_keys=True).encode()


def file_seed(path: Path, recorded_at: datetime) -> bytes:
    """What tells one recorded file, or folder of pictures, from another: content and time."""
    if not path.exists():
        raise NotFoundError(f"no such file: {path}")
    digest = hashlib.sha256(recorded_at.isoformat().encode())
    for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
        if file.is_file():
            with file.open("rb") as opened:
                digest.update(hashlib.file_digest(opened, "sha256").digest())
    return digest.digest()
