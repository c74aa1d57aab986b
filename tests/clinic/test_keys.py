"""Keys: the device's own is made once and kept to itself; a reader's is an age identity."""

import os
import subprocess
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from typing import BinaryIO

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from edge_fea.clinic.keys import (
    age_recipients,
    decoded,
    device_key,
    encoded,
    fingerprint,
    fingerprint_given,
    make_identity,
    public_pem,
    public_raw,
    read_identities,
)
from edge_fea.clinic.outlet import Written, write_whole
from edge_fea.errors import (
    ConfigError,
    NotFoundError,
    OutputExists,
    OutputUnwritable,
    PackInvalid,
)
from tests.conftest import NOON
from tests.store.conftest import public_folder, unprivileged

__all__ = ["public_folder", "unprivileged"]

FORKED = """
import os, sys
from pathlib import Path
from edge_fea.clinic.keys import device_key, public_raw
gate_out, gate_in = os.pipe()
children = []
for number in range(20):
    child = os.fork()
    if child == 0:
        os.close(gate_in)
        os.read(gate_out, 1)
        found = public_raw(device_key(Path(sys.argv[1])).public_key())
        os.write(1, found.hex().encode() + b"\\n")
        os._exit(0)
    children.append(child)
os.close(gate_in)
sys.exit(any(os.waitpid(child, 0)[1] for child in children))
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "keys" / "device.pem"


def never() -> str:
    pytest.fail("asked for a passphrase")


def test_the_device_key_is_made_when_it_is_first_needed_and_then_kept(path: Path) -> None:
    first, second = device_key(path), device_key(path)
    assert public_raw(first.public_key()) == public_raw(second.public_key())
    assert [each.name for each in path.parent.iterdir()] == ["device.pem"]


def test_nobody_else_may_read_it(path: Path) -> None:
    before = os.umask(0)
    try:
        device_key(path)
    finally:
        os.umask(before)
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700


def test_twenty_processes_at_once_make_one_key(path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", FORKED, str(path)],
        cwd=Path(__file__).parents[2],
        check=True,
        capture_output=True,
        text=True,
    )
    assert len(done.stdout.split()) == 20
    assert len(set(done.stdout.split())) == 1


@pytest.mark.skipif(os.getuid() != 0, reason="needs root")
def test_a_key_that_root_makes_belongs_to_whom_the_folder_does(path: Path) -> None:
    os.chown(path.parents[1], 65534, 65534)
    device_key(path)
    assert {each.stat().st_uid for each in (path, path.parent)} == {65534}


@pytest.mark.skipif(os.getuid() != 0, reason="needs root")
def test_a_link_that_takes_its_place_gives_nothing_of_roots_away(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    os.chown(tmp_path, 65534, 65534)
    roots = tmp_path / "shadow"
    roots.touch()

    def swapped(target: Path, write: Callable[[BinaryIO], None]) -> Written:
        done = write_whole(target, write)
        target.rename(target.with_name("mine"))
        target.symlink_to(roots)
        return done

    monkeypatch.setattr("edge_fea.clinic.keys.write_whole", swapped)
    with suppress(ConfigError):
        device_key(path)
    assert roots.stat().st_uid == 0


@pytest.mark.parametrize(("mode", "fine"), [(0o600, True), (0o640, True), (0o644, False)])
def test_a_key_that_others_can_read_is_refused(path: Path, mode: int, fine: bool) -> None:
    device_key(path)
    path.chmod(mode)
    if fine:
        device_key(path)
        return
    with pytest.raises(ConfigError, match=f"others can read or change {path} .mode {mode:04o}"):
        device_key(path)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "is no private key in PEM"),
        (b"garbage", "is no private key in PEM"),
        (
            generate_private_key(65537, 2048).private_bytes(
                Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
            ),
            "must be Ed25519",
        ),
    ],
    ids=["empty", "garbage", "rsa"],
)
def test_a_file_that_is_no_such_key_is_refused_and_kept(
    path: Path, data: bytes, message: str
) -> None:
    path.parent.mkdir()
    path.write_bytes(data)
    path.chmod(0o600)
    with pytest.raises(ConfigError, match=message):
        device_key(path)
    assert path.read_bytes() == data


def test_a_folder_in_which_it_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OutputUnwritable, match=r"clinic.signing_key: cannot make .*device.pem"):
        device_key(tmp_path / "file" / "keys" / "device.pem")


def test_whoever_may_not_read_it_is_told_so(
    public_folder: Path, unprivileged: Callable[[], AbstractContextManager[None]]
) -> None:
    path = public_folder / "keys" / "device.pem"
    device_key(path)
    with unprivileged(), pytest.raises(ConfigError, match=r"cannot read .*: Permission denied"):
        device_key(path)
    path.parent.chmod(0o755)
    with unprivileged(), pytest.raises(ConfigError, match=r"cannot read .*: Permission denied"):
        device_key(path)


def test_a_fingerprint_is_eight_groups_of_four(path: Path) -> None:
    text = fingerprint(device_key(path).public_key())
    groups = text.split("-")
    assert [len(group) for group in groups] == [4] * 8
    assert int("".join(groups), 16)


def test_people_give_a_fingerprint_or_a_file(path: Path, tmp_path: Path) -> None:
    public = device_key(path).public_key()
    known = fingerprint(public)
    pem = tmp_path / "ward3.pem"
    pem.write_text(public_pem(public))
    for given in (known, known.upper(), known.replace("-", " "), known.replace("-", ""), str(pem)):
        assert fingerprint_given(given) == known


def test_what_is_neither_is_told_so(path: Path, tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="neither a fingerprint such as"):
        fingerprint_given("1f3a-12")
    device_key(path)
    with pytest.raises(PackInvalid, match="holds no public key of a device"):
        fingerprint_given(str(path))


def test_a_key_in_a_manifest_reads_back() -> None:
    public = Ed25519PrivateKey.generate().public_key()
    assert public_raw(decoded(encoded(public))) == public_raw(public)
    for text in ("", "AAAA", encoded(public)[:-2], encoded(public) + "AAAA", "!" * 44):
        with pytest.raises(ValueError):
            decoded(text)


def test_a_readers_key_file_is_what_age_keygen_makes(tmp_path: Path) -> None:
    file = tmp_path / "me.txt"
    public = make_identity(file, NOON)
    created, named, secret = file.read_text().splitlines()
    assert created == "# created: 2026-11-22T12:00:00.000Z"
    assert named == f"# public key: {public}"
    assert secret.startswith("AGE-SECRET-KEY-1")
    assert file.stat().st_mode & 0o777 == 0o600
    (identity,) = read_identities(file, never)
    assert str(identity.to_public()) == public
    assert len(age_recipients([public])) == 1


def test_a_readers_key_is_never_written_over_another(tmp_path: Path) -> None:
    file = tmp_path / "me.txt"
    make_identity(file, NOON)
    before = file.read_text()
    with pytest.raises(OutputExists):
        make_identity(file, NOON)
    assert file.read_text() == before


def test_a_key_file_with_a_passphrase_needs_it(tmp_path: Path) -> None:
    file = tmp_path / "me.txt"
    public = make_identity(file, NOON, "correct horse")
    assert b"AGE-SECRET" not in file.read_bytes()
    (identity,) = read_identities(file, lambda: "correct horse")
    assert str(identity.to_public()) == public
    with pytest.raises(PackInvalid, match="the passphrase is wrong"):
        read_identities(file, lambda: "wrong")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "holds no private key"),
        ("age1qqqq", "holds no private key"),
        ("\x89PNG\0", "holds no private key"),
        ("AGE-SECRET-KEY-1NONSENSE", "the key in it is damaged"),
        ("age-encryption.org/v1\nnonsense", "the passphrase is wrong, or the file damaged"),
    ],
)
def test_a_file_without_a_key_is_told_so(tmp_path: Path, text: str, message: str) -> None:
    file = tmp_path / "me.txt"
    file.write_text(text)
    with pytest.raises(PackInvalid, match=message):
        read_identities(file, lambda: "x")


def test_a_key_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(
        NotFoundError, match=r"me.txt is no key file: there is no file of that name"
    ):
        read_identities(tmp_path / "me.txt", never)


def test_a_recipient_with_a_letter_wrong_is_named(tmp_path: Path) -> None:
    public = make_identity(tmp_path / "me.txt", NOON)
    wrong = public[:-1] + ("q" if public[-1] != "q" else "p")
    with pytest.raises(ConfigError, match=f"clinic.recipients: '{wrong}' is no age public key"):
        age_recipients([public, wrong])
