"""The command line, run in this process, and a database for it to read."""

from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from edge_fea.cli import cli
from edge_fea.store.clips import ClipRecorder
from edge_fea.summary.record import ClipSummary
from tests.conftest import NOON
from tests.store.clip_factory import make_clip
from tests.store.conftest import public_folder, unprivileged

__all__ = ["public_folder", "unprivileged"]

Run = Callable[..., Result]

CLIPS = (
    make_clip(0),
    make_clip(5, label="sad", patient="P08"),
    make_clip(10, seen=10, missed=290, synchronized=False),
    make_clip(15, ended_by=None),
)


def record(path: Path, *clips: ClipSummary) -> Path:
    with ClipRecorder(path, busy_timeout=1, now=NOON) as recorder:
        for clip in clips:
            recorder.save(clip)
    return path


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs ``edge-fea`` with arguments, in a folder of its own."""
    monkeypatch.chdir(tmp_path)
    return lambda *arguments: CliRunner().invoke(cli, [str(item) for item in arguments])


@pytest.fixture
def database(tmp_path: Path) -> Path:
    """Four clips: two with scores, one not seen enough, one running."""
    return record(tmp_path / "clips.db", *CLIPS)


@pytest.fixture
def empty(tmp_path: Path) -> Path:
    """A database without a clip."""
    return record(tmp_path / "empty.db")
