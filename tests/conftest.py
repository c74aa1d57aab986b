"""Shared parts: a clock that stands still, a staged portrait, an interpreter-free network."""

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
from hypothesis import settings

from edge_fea.capture.demo import DemoSource, Scene
from edge_fea.emotions import LABELS
from edge_fea.vision.classifier import Reading

# Two busy cores: a slow example says nothing about the code.
settings.register_profile("edge-fea", deadline=None)
settings.load_profile("edge-fea")

NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


@dataclass
class FakeClock:
    """A clock that moves only when told, or when slept on."""

    time: float = 1000.0
    wall: datetime = NOON
    slept: list[float] = field(default_factory=list)
    right: bool = True

    def monotonic(self) -> float:
        return self.time

    def now(self) -> datetime:
        return self.wall

    def synchronized(self) -> bool:
        return self.right

    def sleep(self, seconds: float) -> None:
        if seconds > 0:
            self.slept.append(seconds)
            self.time += seconds


class StubClassifier:
    """Stands where the network stands: always the same reading, and it counts its calls."""

    def __init__(self, label: str = "happy", face: bool = True, size: int = 148) -> None:
        self.manifest = SimpleNamespace(input=SimpleNamespace(size=size, margin=0.0))
        self.label = label
        self.face = face
        self.calls = 0

    def read(self, crop: np.ndarray) -> Reading:
        assert crop.shape == (self.manifest.input.size,) * 2
        self.calls += 1
        probabilities = np.full(len(LABELS), 0.05)
        probabilities[LABELS.index(self.label)] = 0.7
        return Reading(probabilities, 0.99 if self.face else 0.01)

    def is_face(self, reading: Reading) -> bool:
        return reading.face is not None and reading.face > 0.5


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def stub_classifier() -> StubClassifier:
    return StubClassifier()


@pytest.fixture(scope="session")
def stage() -> DemoSource:
    """The demo's stage: draws single frames with a real, public-domain face."""
    return DemoSource(4.0, NOON)


def write_video(path: Path, stage: DemoSource, scenes: list[Scene], rate: float = 8.0) -> Path:
    """Staged scenes as a video file (MJPEG in .avi, MPEG-4 otherwise)."""
    fourcc = cv2.VideoWriter.fourcc(*("MJPG" if path.suffix == ".avi" else "mp4v"))
    writer = cv2.VideoWriter(str(path), fourcc, rate, (640, 480), isColor=False)
    number = 0
    for scene in scenes:
        for _ in range(int(scene.seconds * rate)):
            writer.write(stage.draw(scene, number / rate, number))
            number += 1
    writer.release()
    return path


@pytest.fixture(scope="session")
def portrait_video(tmp_path_factory: pytest.TempPathFactory, stage: DemoSource) -> Path:
    """Fourteen seconds of a smiling face, then ten of an empty room, 8 frames a second."""
    path = tmp_path_factory.mktemp("video") / "smile.avi"
    return write_video(path, stage, [Scene("valid", 14), Scene("no_face", 10, places=())])


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No test reads this machine's settings."""
    for name in list(os.environ):
        if name.startswith("EDGE_FEA_") and name != "EDGE_FEA_DATA":
            monkeypatch.delenv(name)
    monkeypatch.setattr("edge_fea.config.layers.DEFAULT_FILE", tmp_path / "none.toml")


@pytest.fixture(autouse=True)
def _same_threads() -> Iterator[None]:
    yield
    cv2.setNumThreads(1)
