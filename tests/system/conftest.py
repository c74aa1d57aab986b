"""What several files of tests have in common: a device, a bundle, a place for scripts, sticks."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge_fea.capture.demo import DemoSource
from tests.system.blank import make_bundle
from tests.system.deploy_place import Place, make_place
from tests.system.ssh_device import Device, Watched
from tests.system.stick_room import Room, make_room


@pytest.fixture(scope="module")
def device(stage: DemoSource) -> Iterator[Device]:
    folder = Path(tempfile.mkdtemp(prefix="edge-fea-ssh-"))
    folder.chmod(0o755)
    made = Device(folder, stage)
    try:
        made.start()
        yield made
    finally:
        made.close()
        shutil.rmtree(folder)


@pytest.fixture
def watched(device: Device) -> Iterator[Watched]:
    """The trail is whole, and the service records on, whatever the test did."""
    yield Watched(device)
    assert device.recorder is not None
    assert device.recorder.poll() is None
    before = device.recorded()
    device.wait_for(lambda: device.recorded() > before)
    device.rows()


@pytest.fixture(scope="session")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle for Bookworm on a PC. It is copied, never changed."""
    return make_bundle(tmp_path_factory.mktemp("bundle") / "first", "amd64", "bookworm")


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return make_place(tmp_path)


@pytest.fixture
def room() -> Iterator[Room]:
    with make_room() as made:
        yield made
