"""Making packs: signed, encrypted, streamed, and never half of one."""

import hashlib
import io
import json
import os
import shutil
import subprocess
import sys
import zipfile
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

import pyrage
import pytest
from pyrage import x25519

from edge_fea.clinic.pack import PackMember, make_pack, readers, write_pack
from edge_fea.clinic.unpack import unpack
from edge_fea.config import ClinicSettings
from edge_fea.errors import (
    ConfigError,
    NotAllowed,
    NotFoundError,
    PackInvalid,
)
from tests.clinic.pack_factory import (
    FACTS,
    KEY,
    READER,
    Open,
    member,
    packed,
)


def test_a_member_that_fails_leaves_nothing_and_its_error_is_raised(tmp_path: Path) -> None:
    def fail(out: BinaryIO) -> None:
        out.write(bytes(1 << 20))
        raise NotFoundError("no clips")

    for recipients in ([], [str(READER.to_public())]):
        with pytest.raises(NotFoundError, match="no clips"):
            make_pack(
                tmp_path / "a", [PackMember("a", fail)], FACTS, key=KEY, recipients=recipients
            )
    assert list(tmp_path.iterdir()) == []


def test_what_a_stream_had_got_when_a_member_failed_does_not_open(opened: Open) -> None:
    def fail(out: BinaryIO) -> None:
        out.write(os.urandom(1 << 20))
        raise ValueError("bug")

    out = io.BytesIO()
    with pytest.raises(ValueError, match="bug"):
        write_pack(
            out, [PackMember("a", fail)], FACTS, key=KEY, recipients=[str(READER.to_public())]
        )
    assert len(out.getvalue()) > 1000
    with pytest.raises(PackInvalid):
        opened(out.getvalue())


class FullDisk(io.RawIOBase):
    """Takes some kilobytes and then no more."""

    left = 100_000

    def writable(self) -> bool:
        return True

    def write(self, data: bytes) -> int:  # type: ignore[override]
        self.left -= len(data)
        if self.left < 0:
            raise OSError(28, "No space left on device")
        return len(data)


@pytest.mark.parametrize("readers", [[], [READER]])
def test_a_full_disk_is_told_as_such(readers: list[x25519.Identity]) -> None:
    noise = member("a", os.urandom(1 << 21))
    recipients = [str(reader.to_public()) for reader in readers]
    with pytest.raises(OSError, match="No space left") as raised:
        write_pack(FullDisk(), [noise], FACTS, key=KEY, recipients=recipients)
    assert raised.value.errno == 28


@pytest.mark.parametrize("name", ["../a", "a/b", "", "A", ".a", "a" * 121, "manifest.json", "a\n"])
def test_a_member_with_a_name_that_would_not_open_is_a_bug(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match="no name for a file of a pack"):
        make_pack(tmp_path / "p", [member(name, b"")], FACTS, key=KEY, recipients=[])


def test_two_members_of_one_name_are_a_bug(tmp_path: Path) -> None:
    two = [member("report-P07.html", b""), member("report-p07.html", b"")]
    with pytest.raises(ValueError, match="twice"):
        make_pack(tmp_path / "p", two, FACTS, key=KEY, recipients=[])


def test_a_clock_from_before_1980_is_no_hindrance(tmp_path: Path) -> None:
    early = replace(FACTS, made=datetime(1970, 1, 1, tzinfo=UTC))
    pack = packed(tmp_path / "a.zip", facts=early)
    done = unpack(pack, tmp_path / "out", identities=[], device=None)
    assert done.manifest.made_utc.startswith("1970-01-01")


def test_without_a_reader_a_pack_is_refused_unless_plain_ones_are_allowed() -> None:
    public = str(READER.to_public())
    with pytest.raises(NotAllowed, match=r"clinic.recipients.*clinic.plain_packs = true"):
        readers(ClinicSettings())
    assert readers(ClinicSettings(plain_packs=True)) == ()
    # A plain pack is never made by mistake: a recipient goes before the permission.
    assert readers(ClinicSettings(plain_packs=True, recipients=(public,))) == (public,)


def test_a_recipient_that_is_no_key_is_refused_before_anything_is_written() -> None:
    wrong = "age1" + "q" * 58
    with pytest.raises(ConfigError, match="is no age public key"):
        readers(ClinicSettings(recipients=(wrong,)))


def test_standard_tools_read_a_pack(sealed: bytes, tmp_path: Path) -> None:
    """What docs/packs.md says for computers without edge-fea."""
    inside = io.BytesIO(pyrage.decrypt(sealed, [READER]))
    with zipfile.ZipFile(inside) as archive:
        archive.extractall(tmp_path)
    about = json.loads((tmp_path / "manifest.json").read_text())
    for file in about["files"]:
        data = (tmp_path / file["name"]).read_bytes()
        assert hashlib.sha256(data).hexdigest() == file["sha256"]
    if shutil.which("openssl"):
        from edge_fea.clinic.keys import public_pem

        (tmp_path / "device.pem").write_text(public_pem(KEY.public_key()))
        done = subprocess.run(
            [
                *("openssl", "pkeyutl", "-verify", "-pubin", "-inkey", "device.pem", "-rawin"),
                *("-in", "manifest.json", "-sigfile", "manifest.sig"),
            ],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )
        assert "Signature Verified Successfully" in done.stdout


MEASURED = """
import io, os, resource, sys, tempfile
from pathlib import Path
from edge_fea.clinic.pack import PackMember, make_pack
from edge_fea.clinic.unpack import unpack
from tests.clinic.test_pack import FACTS, KEY, READER
def write(out):
    for _ in range(1500):
        out.write(bytes(1 << 16) if _ % 2 else os.urandom(1 << 16))
def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
folder = Path(sys.argv[1])
how = {"key": KEY, "recipients": [str(READER.to_public())]}
make_pack(folder / "small", [PackMember("a", lambda out: None)], FACTS, **how)
unpack(folder / "small", folder / "out1", identities=[READER], device=None)
before = peak()
make_pack(folder / "large", [PackMember("a", write)], FACTS, **how)
unpack(folder / "large", folder / "out2", identities=[READER], device=None)
print(peak() - before)
"""


def test_a_pack_of_a_hundred_megabytes_takes_a_few_of_memory(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", MEASURED, str(tmp_path)],
        cwd=Path(__file__).parents[2],
        check=True,
        capture_output=True,
        text=True,
    )
    assert (tmp_path / "out2" / "a").stat().st_size == 1500 << 16
    assert int(done.stdout) < 8_000  # kilobytes
