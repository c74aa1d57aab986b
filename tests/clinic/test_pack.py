"""Packs: signed, encrypted, streamed; and nothing but a whole one from the device opens."""

import hashlib
import io
import json
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

import pyrage
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyrage import x25519

from edge_fea.clinic.keys import fingerprint
from edge_fea.clinic.pack import PackFacts, PackMember, make_pack, readers, write_pack
from edge_fea.clinic.unpack import Unpacked, unpack
from edge_fea.config import ClinicSettings
from edge_fea.errors import (
    ConfigError,
    EdgeFeaError,
    NotAllowed,
    NotFoundError,
    OutputExists,
    PackInvalid,
    UnclearError,
)
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


def test_a_pack_opens_with_the_key_of_any_reader(sealed: bytes, opened: Open) -> None:
    for reader in (READER, SECOND):
        done = opened(sealed, reader)
        assert contents(done.folder) == FILES
        assert done.encrypted


def test_the_manifest_says_what_is_in_it_and_where_it_comes_from(
    sealed: bytes, opened: Open
) -> None:
    about = opened(sealed).manifest
    assert (about.device_id, about.made_utc) == ("efea-test", "2026-11-22T12:00:00.000Z")
    assert (about.from_utc, about.to_utc) == (None, "2026-11-22T12:00:00.000Z")
    assert (about.patients, about.clips, about.networks) == (["P07"], 2, ["ab" * 32])
    assert (about.audit.seq, about.audit.head) == (7, "cd" * 32)
    assert about.recipients == [str(each.to_public()) for each in (READER, SECOND)]
    assert {file.name: file.bytes for file in about.files} == {
        name: len(data) for name, data in FILES.items()
    }
    assert about.schema_step.startswith("00")


def test_nothing_of_it_can_be_read_without_a_key(sealed: bytes) -> None:
    for part in (b"PK\x03\x04", b"clips.csv", b"manifest", b"P07", b"efea-test"):
        assert part not in sealed


def test_it_is_known_by_the_devices_fingerprint(sealed: bytes, opened: Open) -> None:
    known = fingerprint(KEY.public_key())
    assert opened(sealed, device=known).origin_known
    done = opened(sealed)
    assert (done.origin_known, done.fingerprint) == (False, known)


def test_a_pack_of_another_device_is_refused(sealed: bytes, opened: Open) -> None:
    other = fingerprint(Ed25519PrivateKey.generate().public_key())
    with pytest.raises(PackInvalid, match=f"comes from another device.*{other}"):
        opened(sealed, device=other)


def test_a_forger_signs_with_his_own_key_and_is_found_out_by_the_fingerprint(
    plain: bytes, opened: Open
) -> None:
    forger = Ed25519PrivateKey.generate()

    def replaced(about: dict) -> None:
        import base64

        from edge_fea.clinic.keys import public_raw

        about["device_key"] = base64.b64encode(public_raw(forger.public_key())).decode()
        about["clips"] = 99

    forged = rewritten(plain, key=forger, manifest=replaced)
    assert not opened(forged).origin_known
    with pytest.raises(PackInvalid, match="comes from another device"):
        opened(forged, device=fingerprint(KEY.public_key()))


def test_a_wrong_key_is_told_so(sealed: bytes, opened: Open) -> None:
    with pytest.raises(PackInvalid, match="the pack is not for this key"):
        opened(sealed, STRANGER)


def test_without_a_key_it_says_how_to_come_by_one(sealed: bytes, tmp_path: Path) -> None:
    pack = tmp_path / "a.edgefea"
    pack.write_bytes(sealed)
    with pytest.raises(UnclearError, match="--identity"):
        unpack(pack, tmp_path / "out", identities=[], device=None)


def test_a_plain_pack_needs_no_key_and_is_verified_too(plain: bytes, tmp_path: Path) -> None:
    pack = tmp_path / "a.zip"
    pack.write_bytes(plain)
    done = unpack(pack, tmp_path / "out", identities=[], device=fingerprint(KEY.public_key()))
    assert contents(done.folder) == FILES
    assert not done.encrypted


@REPEATED
@given(data=st.data())
def test_one_bit_that_flips_is_found_out(sealed: bytes, opened: Open, data: st.DataObject) -> None:
    place = data.draw(st.integers(0, 8 * len(sealed) - 1))
    flipped = bytearray(sealed)
    flipped[place // 8] ^= 1 << place % 8
    with pytest.raises(PackInvalid):
        opened(bytes(flipped))


@REPEATED
@given(data=st.data())
def test_one_bit_that_flips_in_a_plain_pack_changes_no_file(
    plain: bytes, opened: Open, data: st.DataObject
) -> None:
    """A zip archive has dates and flags that nobody reads; all that is taken out is signed."""
    # Most of its bits are in the first file: draw from its ends too.
    places = st.integers(0, 8 * len(plain) - 1) | st.integers(
        8 * (len(plain) - 2500), 8 * len(plain) - 1
    )
    place = data.draw(places)
    flipped = bytearray(plain)
    flipped[place // 8] ^= 1 << place % 8
    try:
        done = opened(bytes(flipped))
    except PackInvalid:
        return
    assert contents(done.folder) == FILES


@REPEATED
@given(length=st.integers(0, 5000))
def test_a_pack_that_is_cut_short_is_found_out(sealed: bytes, opened: Open, length: int) -> None:
    with pytest.raises(PackInvalid):
        opened(sealed[: min(length, len(sealed) - 1)])


@REPEATED
@given(data=st.binary(max_size=3000))
def test_anything_else_is_no_pack(opened: Open, data: bytes) -> None:
    for beginning in (b"", b"PK\x03\x04", b"age-encryption.org/v1\n"):
        with pytest.raises(PackInvalid):
            opened(beginning + data)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda files: files.update({"clips.csv": b"other"}), "clips.csv is not what the device"),
        (lambda files: files.update({"clips.csv": files["clips.csv"] + b"x"}), "clips.csv is not"),
        (lambda files: files.update({"clips.csv": files["clips.csv"][:-1]}), "clips.csv is not"),
        (lambda files: files.update({"evil.exe": b"MZ"}), "not those that the device signed: evil"),
        (lambda files: files.update({"../evil": b"x"}), "not those that the device signed"),
        (lambda files: files.update({"/etc/passwd": b"x"}), "not those that the device signed"),
        (lambda files: files.pop("report.html"), "not those that the device signed: report.html"),
        (lambda files: files.pop("manifest.json"), "manifest.json is missing"),
        (lambda files: files.pop("manifest.sig"), "manifest.sig is missing"),
        (lambda files: files.update({"manifest.sig": bytes(64)}), "the signature does not fit"),
        (lambda files: files.update({"manifest.sig": b""}), "the signature does not fit"),
        (lambda files: files.update({"manifest.sig": bytes(99)}), "longer than 64 bytes"),
        (lambda files: files.update({"CLIPS.csv": b"x"}), "is in it twice"),
        (lambda files: files.update({"sub/": b""}), "is no plain file"),
    ],
)
def test_what_somebody_changed_is_found_out(
    plain: bytes, opened: Open, change: Callable[[dict[str, bytes]], None], message: str
) -> None:
    with pytest.raises(PackInvalid, match=message):
        opened(rewritten(plain, change))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("version", 2),
        ("format", "something else"),
        ("files", [{"name": "../../evil", "bytes": 1, "sha256": "0" * 64}]),
        ("files", [{"name": "a", "bytes": -1, "sha256": "0" * 64}]),
        ("device_key", "AAAA"),
        ("device_id", "ward\x1b[2J"),
        ("patients", ["P07\n"]),
        ("made_utc", "now"),
        ("audit", None),
    ],
)
def test_a_manifest_that_this_version_cannot_read_is_refused_though_it_is_signed(
    plain: bytes, opened: Open, name: str, value: object
) -> None:
    changed = rewritten(plain, key=KEY, manifest=lambda about: about.update({name: value}))
    with pytest.raises(PackInvalid):
        opened(changed)


def test_what_a_newer_version_adds_to_the_manifest_is_passed_over(
    plain: bytes, opened: Open
) -> None:
    newer = rewritten(plain, key=KEY, manifest=lambda about: about.update({"more": 1}))
    assert contents(opened(newer).folder) == FILES


def test_a_file_that_is_named_twice_in_the_manifest_is_refused(plain: bytes, opened: Open) -> None:
    twice = rewritten(
        plain, key=KEY, manifest=lambda about: about["files"].append(about["files"][0])
    )
    with pytest.raises(PackInvalid, match="a name twice"):
        opened(twice)


def test_a_symbolic_link_in_it_is_refused(plain: bytes, opened: Open) -> None:
    def link(info: zipfile.ZipInfo) -> None:
        info.external_attr = 0o120777 << 16

    with pytest.raises(PackInvalid, match="is no plain file"):
        opened(rewritten(plain, infos=link))


def test_a_file_that_goes_on_longer_than_stated_is_not_read_to_its_end(
    plain: bytes, opened: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A zip bomb: 200 MB in a few hundred kilobytes, behind a signed manifest that says one."""
    read = [0]
    before = zipfile.ZipExtFile.read

    def counted(self: zipfile.ZipExtFile, n: int | None = -1) -> bytes:
        data = before(self, n)
        read[0] += len(data)
        return data

    bomb = rewritten(plain, lambda files: files.update({"report.html": bytes(200_000_000)}))
    monkeypatch.setattr(zipfile.ZipExtFile, "read", counted)
    with pytest.raises(PackInvalid, match=r"report.html is not what the device signed"):
        opened(bomb)
    assert read[0] < 1_000_000


def test_more_than_there_is_room_for_is_refused_before_it_is_written(
    plain: bytes, opened: Open
) -> None:
    huge = rewritten(
        plain, key=KEY, manifest=lambda about: about["files"][0].update({"bytes": 1 << 60})
    )
    with pytest.raises(EdgeFeaError, match="more than there is room for"):
        opened(huge)


def test_a_long_list_of_members_is_not_even_read(opened: Open) -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for number in range(1001):
            archive.writestr(f"f{number}", b"")
    with pytest.raises(PackInvalid, match="more files than a pack has"):
        opened(out.getvalue())


def test_a_folder_that_is_there_is_left_as_it_is(sealed: bytes, tmp_path: Path) -> None:
    pack, folder = tmp_path / "a.edgefea", tmp_path / "out"
    pack.write_bytes(sealed)
    folder.mkdir()
    with pytest.raises(OutputExists):
        unpack(pack, folder, identities=[READER], device=None)
    assert list(folder.iterdir()) == []


def test_only_the_owner_may_read_what_was_unpacked(sealed: bytes, opened: Open) -> None:
    assert opened(sealed).folder.stat().st_mode & 0o777 == 0o700


def test_a_pack_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match=r"cannot read .*none"):
        unpack(tmp_path / "none", tmp_path / "out", identities=[], device=None)


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
