"""Keys: the device's own, which signs packs, and those of the people who may read them.

The device's is an Ed25519 key in a PEM file of its own. A reader's is an age identity (X25519),
made on the reader's own computer; the device knows only the public half.
"""

import base64
import hashlib
import os
import re
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path

import pyrage
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)
from pyrage import passphrase, x25519

from edge_fea.capture.clock import iso
from edge_fea.clinic.outlet import write_whole
from edge_fea.errors import ConfigError, NotFoundError, OutputExists, OutputUnwritable, PackInvalid

_AGE = b"age-encryption.org/v1"
_IDENTITY = "AGE-SECRET-KEY-1"
_LONGEST_KEY_FILE = 1 << 16


def device_key(path: Path) -> Ed25519PrivateKey:
    """The device's key at ``clinic.signing_key``, made if there is none.

    Raises ConfigError where the file is no such key or others can read it, OutputUnwritable where
    it cannot be made.
    """
    try:
        if not path.exists():
            _make_device_key(path)
        mode = path.stat().st_mode & 0o777
        data = path.read_bytes()
    except OSError as error:
        raise ConfigError(
            f"clinic.signing_key: cannot read {path}: {error.strerror}: it belongs to the user who "
            "runs edge-fea"
        ) from error
    if mode & 0o037:
        raise ConfigError(
            f"clinic.signing_key: others can read or change {path} (mode {mode:04o}): `chmod 600` "
            "it; if somebody may have copied it, remove it and tell the clinicians of the new key"
        )
    try:
        key = load_pem_private_key(data, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise ConfigError(f"clinic.signing_key: {path} is no private key in PEM") from error
    if not isinstance(key, Ed25519PrivateKey):
        raise ConfigError(f"clinic.signing_key: the key in {path} must be Ed25519")
    return key


def public_raw(key: Ed25519PublicKey) -> bytes:
    """The 32 bytes of a public key."""
    return key.public_bytes(Encoding.Raw, PublicFormat.Raw)


def public_pem(key: Ed25519PublicKey) -> str:
    """A public key as a PEM file's text."""
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def fingerprint(key: Ed25519PublicKey) -> str:
    """What people compare: the first 128 bits of the key's SHA-256, in eight groups of four."""
    text = hashlib.sha256(public_raw(key)).hexdigest()[:32]
    return "-".join(text[place : place + 4] for place in range(0, 32, 4))


def fingerprint_given(text: str) -> str:
    """The fingerprint that ``text`` is, or that of the public key in the PEM file it names.

    Raises NotFoundError without such a file, PackInvalid where it holds no device's public key.
    """
    plain = re.sub(r"[\s:-]", "", text).lower()
    if re.fullmatch(r"[0-9a-f]{32}", plain):
        return "-".join(plain[place : place + 4] for place in range(0, 32, 4))
    data = _read(
        Path(text),
        "neither a fingerprint such as 1f3a-... (eight groups of four) nor a file that exists",
    )
    try:
        key = load_pem_public_key(data)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise PackInvalid(
            f"{text} holds no public key of a device: `edge-fea key show --pem` prints it there"
        ) from error
    if not isinstance(key, Ed25519PublicKey):
        raise PackInvalid(f"{text} holds a key that is no device's: it must be Ed25519")
    return fingerprint(key)


def age_recipients(keys: Sequence[str]) -> list[x25519.Recipient]:
    """The public keys of ``clinic.recipients``. Raises ConfigError naming a wrong one."""
    found = []
    for key in keys:
        try:
            found.append(x25519.Recipient.from_str(key))
        except pyrage.RecipientError as error:
            raise ConfigError(
                f"clinic.recipients: {key!r} is no age public key ({error}): copy the whole line "
                "that `edge-fea key make-recipient` printed"
            ) from error
    return found


def reader_fingerprint(key: str) -> str:
    """What stands for a line of ``clinic.recipients`` in the audit trail: 64 bits of its hash."""
    return hashlib.sha256(key.encode()).hexdigest()[:16]


def make_identity(path: Path, now: datetime, secret: str | None = None) -> str:
    """Make a reader's key file, protected with the passphrase ``secret``; its public key.

    The file is what ``age-keygen`` makes, and ``age`` reads it. Raises OutputExists or
    OutputUnwritable.
    """
    identity = x25519.Identity.generate()
    public = str(identity.to_public())
    text = f"# created: {iso(now)}\n# public key: {public}\n{identity}\n".encode()
    data = text if secret is None else passphrase.encrypt(text, secret)
    write_whole(path, lambda out: _put(out.write, data))
    return public


def read_identities(path: Path, ask: Callable[[], str]) -> list[x25519.Identity]:
    """The keys in a reader's key file; ``ask`` is for its passphrase, where it has one.

    Raises NotFoundError, or PackInvalid where it holds no key or the passphrase is wrong.
    """
    data = _read(path, "no key file: there is no file of that name")
    if data.startswith(_AGE):
        try:
            data = passphrase.decrypt(data, ask())
        except (pyrage.DecryptError, OSError) as error:
            raise PackInvalid(f"{path}: the passphrase is wrong, or the file damaged") from error
    lines = [line.strip() for line in data.decode("utf-8", "replace").splitlines()]
    try:
        found = [x25519.Identity.from_str(line) for line in lines if line.startswith(_IDENTITY)]
    except pyrage.IdentityError as error:
        raise PackInvalid(f"{path}: the key in it is damaged") from error
    if not found:
        raise PackInvalid(
            f"{path} holds no private key: it must be the file that `edge-fea key make-recipient` "
            "made"
        )
    return found


def encoded(key: Ed25519PublicKey) -> str:
    """A public key as it stands in a manifest: base64 of its 32 bytes."""
    return base64.b64encode(public_raw(key)).decode()


def decoded(text: str) -> Ed25519PublicKey:
    """A public key as it stands in a manifest. Raises ValueError."""
    return Ed25519PublicKey.from_public_bytes(base64.b64decode(text, validate=True))


def _make_device_key(path: Path) -> None:
    key = Ed25519PrivateKey.generate()
    data = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    missing = [folder for folder in (path.parent, *path.parent.parents) if not folder.exists()]
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        # Made by root for a folder of the service's: the service must be able to use it.
        owner = missing[-1].parent.stat() if missing else path.parent.stat()
        written = write_whole(path, lambda out: _put(out.write, data)).path
        if os.geteuid() == 0:
            for each in (*missing, written):
                # Whoever owns the folder may have put a link there meanwhile: to a file of root's.
                os.chown(each, owner.st_uid, owner.st_gid, follow_symlinks=False)
    except OutputExists:
        # Another process made one in the meantime: that one holds.
        return
    except OSError as error:
        raise OutputUnwritable(
            f"clinic.signing_key: cannot make {path}: {error.strerror}"
        ) from error


def _put(write: Callable[[bytes], int], data: bytes) -> None:
    write(data)


def _read(path: Path, missing: str) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(_LONGEST_KEY_FILE)
    except FileNotFoundError:
        raise NotFoundError(f"{path} is {missing}") from None
    except OSError as error:
        raise NotFoundError(f"cannot read {path}: {error.strerror}") from error
