"""Packs made to measure, for the tests of making and of opening them."""

import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import HealthCheck, settings
from pyrage import x25519

from edge_fea.clinic.pack import PackFacts, PackMember, make_pack
from edge_fea.clinic.unpack import Unpacked
from tests.conftest import NOON

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
READER, SECOND, STRANGER = (x25519.Identity.generate() for _ in range(3))
FACTS = PackFacts(
    device_id="efea-test",
    made=NOON,
    start=None,
    end=NOON,
    patients=("P07",),
    networks=("ab" * 32,),
    clips=2,
    audit_seq=7,
    audit_head="cd" * 32,
)
FILES = {"clips.csv": b"clip_id\n" + bytes(range(256)) * 400, "empty.txt": b"", "report.html": b"x"}
REPEATED = settings(
    max_examples=80, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None
)


def member(name: str, data: bytes) -> PackMember:
    def write(out: BinaryIO) -> None:
        for start in range(0, len(data), 1000):
            out.write(data[start : start + 1000])

    return PackMember(name, write)


MEMBERS = [member(name, data) for name, data in FILES.items()]


def packed(path: Path, *readers: x25519.Identity, facts: PackFacts = FACTS) -> Path:
    recipients = [str(reader.to_public()) for reader in readers]
    make_pack(path, MEMBERS, facts, key=KEY, recipients=recipients)
    return path


Open = Callable[..., Unpacked]


def contents(folder: Path) -> dict[str, bytes]:
    return {
        each.name: each.read_bytes()
        for each in folder.iterdir()
        if not each.name.startswith("manifest")
    }


def rewritten(
    plain: bytes,
    change: Callable[[dict[str, bytes]], None] = lambda _: None,
    *,
    key: Ed25519PrivateKey | None = None,
    infos: Callable[[zipfile.ZipInfo], None] = lambda _: None,
    manifest: Callable[[dict], None] | None = None,
) -> bytes:
    """A plain pack after somebody has worked on it; signed again where ``key`` is given."""
    with zipfile.ZipFile(io.BytesIO(plain)) as archive:
        files = {info.filename: archive.read(info) for info in archive.infolist()}
    if manifest is not None:
        about = json.loads(files["manifest.json"])
        manifest(about)
        files["manifest.json"] = json.dumps(about).encode()
    change(files)
    if key is not None:
        files["manifest.sig"] = key.sign(files["manifest.json"])
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            info = zipfile.ZipInfo(name)
            infos(info)
            archive.writestr(info, data)
    return out.getvalue()
