"""The bundle: the same twice, and all of it named by a hash."""

import hashlib
import re
from pathlib import Path

import pytest

from tests.system.blank import make_bundle

pytestmark = [pytest.mark.appliance, pytest.mark.timeout(900)]


def sums(bundle: Path) -> dict[str, str]:
    lines = (bundle / "SHA256SUMS").read_text().splitlines()
    return {
        name.removeprefix("./"): digest for digest, name in (line.split("  ") for line in lines)
    }


def test_twice_from_the_same_source_it_is_the_same(bundle: Path, tmp_path: Path) -> None:
    again = make_bundle(tmp_path / "again", "amd64", "bookworm")
    assert sums(again) == sums(bundle)


def test_everything_in_it_is_named_and_nothing_else(bundle: Path) -> None:
    files = {str(path.relative_to(bundle)) for path in bundle.rglob("*") if path.is_file()}
    assert files == set(sums(bundle)) | {"SHA256SUMS"}
    for name in ("deploy/install.sh", "systemd/edge-fea.service", "docs/install.md", "LICENSE"):
        assert name in files
    assert not [name for name in files if "__pycache__" in name]


def test_every_wheel_is_pinned_by_its_hash(bundle: Path) -> None:
    text = (bundle / "requirements" / "bookworm.txt").read_text()
    pins = re.findall(r"^\S+==\S+ --hash=sha256:([0-9a-f]{64})$", text, re.M)
    assert len(pins) == len(text.splitlines())
    wheels = [path.read_bytes() for path in (bundle / "wheels").glob("*.whl")]
    assert sorted(pins) == sorted(hashlib.sha256(each).hexdigest() for each in wheels)
    assert any(line.startswith("edge_fea==") for line in text.splitlines())
