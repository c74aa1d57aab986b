"""A pack, sealed and plain, and somebody who opens one."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from pyrage import x25519

from edge_fea.clinic.unpack import Unpacked, unpack
from tests.clinic.pack_factory import READER, SECOND, packed


@pytest.fixture(scope="module")
def sealed(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """An encrypted pack."""
    return packed(tmp_path_factory.mktemp("pack") / "a.edgefea", READER, SECOND).read_bytes()


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A plain pack: the archive that is in an encrypted one."""
    return packed(tmp_path_factory.mktemp("pack") / "a.zip").read_bytes()


@pytest.fixture
def opened(tmp_path: Path) -> Callable[..., Unpacked]:
    """Opens the bytes of a pack into a new folder."""

    def open_it(
        data: bytes, identity: x25519.Identity = READER, device: str | None = None
    ) -> Unpacked:
        pack, folder = tmp_path / "in.pack", tmp_path / "out"
        shutil.rmtree(folder, ignore_errors=True)
        pack.write_bytes(data)
        try:
            return unpack(pack, folder, identities=[identity], device=device)
        finally:
            # Whatever happens: the folder is whole or not there, and nothing else is left.
            left = {each.name for each in tmp_path.iterdir()}
            assert left <= {"in.pack", "out"}

    return open_it
