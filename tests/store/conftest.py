"""A database in a fresh folder, and a way to do things as a user who owns nothing."""

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

from edge_fea.store.clips import ClipRecorder
from tests.conftest import NOON

NOBODY = 65534


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "edge-fea.db"


@pytest.fixture
def recorder(path: Path) -> Iterator[ClipRecorder]:
    with ClipRecorder(path, busy_timeout=0.1, now=NOON) as opened:
        yield opened


@pytest.fixture
def public_folder() -> Iterator[Path]:
    """A folder that every user can reach, unlike pytest's own."""
    folder = Path(tempfile.mkdtemp(prefix="edge-fea-test-"))
    folder.chmod(0o755)
    yield folder
    folder.chmod(0o755)
    shutil.rmtree(folder)


@pytest.fixture
def unprivileged() -> Callable[[], AbstractContextManager[None]]:
    """A block in which this process is nobody, where the tests run as root."""

    @contextmanager
    def as_nobody() -> Iterator[None]:
        if os.getuid() != 0:
            yield
            return
        groups = os.getgroups()
        os.setgroups([])
        os.setresgid(NOBODY, NOBODY, 0)
        os.setresuid(NOBODY, NOBODY, 0)
        try:
            yield
        finally:
            os.setresuid(0, 0, 0)
            os.setresgid(0, 0, 0)
            os.setgroups(groups)

    return as_nobody
