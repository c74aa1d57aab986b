"""Opening packs: nothing but a whole one from the device opens."""

import io
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from edge_fea.clinic.keys import fingerprint
from edge_fea.clinic.unpack import unpack
from edge_fea.errors import (
    EdgeFeaError,
    NotFoundError,
    OutputExists,
    PackInvalid,
    UnclearError,
)
from tests.clinic.pack_factory import (
    FILES,
    KEY,
    READER,
    REPEATED,
    SECOND,
    STRANGER,
    Open,
    contents,
    rewritten,
)


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
