"""Opens a pack: decrypts it, checks signature and hashes, and only then gives the folder its name.

A pack comes from outside: nothing in it is believed before the signature over the manifest was
checked, nothing is read beyond the sizes that the manifest states, and no name leads out of the
folder.
"""

import errno
import hashlib
import os
import secrets
import shutil
import stat
import struct
import tempfile
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from pyrage import x25519

from edge_fea.clinic.age import MAGIC, decrypt
from edge_fea.clinic.keys import decoded, fingerprint
from edge_fea.clinic.manifest import MANIFEST, SIGNATURE, Manifest, PackedFile
from edge_fea.clinic.outlet import refuse_taken, sync_folder, translated_output
from edge_fea.errors import NotFoundError, OutputFull, PackInvalid, UnclearError

_BLOCK = 1 << 16
_SIGNATURE_BYTES = 64
# More than any pack has; a list of members longer than this is not even read.
_MOST_MEMBERS, _LARGEST_DIRECTORY, _LARGEST_MANIFEST = 1000, 1 << 20, 1 << 22
_ZIP, _ZIP_END, _ZIP64_END = b"PK\x03\x04", b"PK\x05\x06", b"PK\x06\x07"
# What Python's zipfile raises for archives that are damaged or made to hurt.
_BROKEN = (
    *(zipfile.BadZipFile, zlib.error, struct.error, EOFError, NotImplementedError),
    *(RuntimeError, ValueError, KeyError, OverflowError),
)


@dataclass(frozen=True, slots=True)
class Unpacked:
    """What a pack held."""

    folder: Path
    manifest: Manifest
    fingerprint: str
    """Of the key that signed it."""

    origin_known: bool
    """Whether that is the device that was named; otherwise only that nothing was changed since."""

    encrypted: bool


def is_encrypted(pack: Path) -> bool:
    """Whether ``pack`` needs a key. Raises NotFoundError, or PackInvalid where it is no pack."""
    try:
        with pack.open("rb") as file:
            head = file.read(len(MAGIC))
    except OSError as error:
        raise NotFoundError(f"cannot read {pack}: {error.strerror}") from error
    if head != MAGIC and not head.startswith(_ZIP):
        raise PackInvalid(f"{pack} is no pack of edge-fea, or its head is damaged")
    return head == MAGIC


def unpack(
    pack: Path,
    folder: Path,
    *,
    identities: Sequence[x25519.Identity],
    device: str | None,
) -> Unpacked:
    """Put the files of ``pack`` into a new ``folder``, which is there only when all is good.

    ``device`` is the fingerprint of the device that it must come from; without it nobody knows
    where it comes from, and the answer says so.

    Raises NotFoundError, UnclearError without a key for an encrypted pack, PackInvalid, and
    OutputExists, OutputFull or OutputUnwritable for the folder.
    """
    locked = is_encrypted(pack)
    if locked and not identities:
        raise UnclearError(
            f"{pack} is encrypted: say where your key file is with --identity; `edge-fea key "
            "make-recipient` made it"
        )
    refuse_taken(folder)
    partial = folder.with_name(f".{folder.name}.{secrets.token_hex(4)}.partial")
    with translated_output(folder):
        partial.mkdir(mode=0o700)
        try:
            with _archive(pack, partial, identities if locked else None) as file:
                manifest, signer = _check(file, partial, device)
            sync_folder(partial)
            partial.rename(folder)
        finally:
            shutil.rmtree(partial, ignore_errors=True)
        sync_folder(folder.parent)
    return Unpacked(folder, manifest, fingerprint(signer), device is not None, locked)


@contextmanager
def _archive(
    pack: Path, partial: Path, identities: Sequence[x25519.Identity] | None
) -> Iterator[BinaryIO]:
    """The zip archive: the pack itself, or what is in it, in a file without a name."""
    with pack.open("rb") as file:
        if identities is None:
            yield file
            return
        with tempfile.TemporaryFile(dir=partial) as inside:
            decrypt(file, inside, identities)
            yield inside


def _check(file: BinaryIO, partial: Path, device: str | None) -> tuple[Manifest, Ed25519PublicKey]:
    try:
        _refuse_directory(file)
        with zipfile.ZipFile(file) as archive:
            members = _members(archive)
            manifest, signer = _signed(archive, members, device)
            _extract(archive, members, manifest, partial)
    except (*_BROKEN, OSError) as error:
        # zipfile goes wherever the archive says, also to before its beginning.
        if isinstance(error, OSError) and error.errno != errno.EINVAL:
            raise
        raise PackInvalid(f"the pack is damaged or was changed ({error})") from error
    return manifest, signer


def _refuse_directory(file: BinaryIO) -> None:
    """Look at the archive's end before zipfile reads a list of members of any length."""
    size = file.seek(0, os.SEEK_END)
    file.seek(max(0, size - 42))
    tail = file.read()
    if len(tail) < 42 or tail[20:24] != _ZIP_END or tail[40:] != b"\0\0":
        raise PackInvalid("the pack is damaged or was changed (its end is not an archive's)")
    count, length = struct.unpack("<HL", tail[30:36])
    if tail[:4] == _ZIP64_END or count > _MOST_MEMBERS or length > _LARGEST_DIRECTORY:
        raise PackInvalid("no pack of edge-fea: it lists more files than a pack has")


def _members(archive: zipfile.ZipFile) -> dict[str, zipfile.ZipInfo]:
    members: dict[str, zipfile.ZipInfo] = {}
    folded: set[str] = set()
    for info in archive.infolist():
        kind = stat.S_IFMT(info.external_attr >> 16)
        if info.filename.casefold() in folded:
            raise PackInvalid(f"no pack of edge-fea: {info.filename!r} is in it twice")
        if kind not in (0, stat.S_IFREG) or info.is_dir() or info.flag_bits & 1:
            raise PackInvalid(f"no pack of edge-fea: {info.filename!r} is no plain file")
        if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise PackInvalid(f"no pack of edge-fea: {info.filename!r} is packed in another way")
        members[info.filename] = info
        folded.add(info.filename.casefold())
    return members


def _signed(
    archive: zipfile.ZipFile, members: dict[str, zipfile.ZipInfo], device: str | None
) -> tuple[Manifest, Ed25519PublicKey]:
    for name in (MANIFEST, SIGNATURE):
        if name not in members:
            raise PackInvalid(f"no pack of edge-fea: {name} is missing")
    text = _small(archive, members[MANIFEST], _LARGEST_MANIFEST)
    signature = _small(archive, members[SIGNATURE], _SIGNATURE_BYTES)
    manifest = Manifest.decode(text)
    signer = decoded(manifest.device_key)
    try:
        signer.verify(signature, text)
    except InvalidSignature as error:
        raise PackInvalid(
            f"the signature does not fit: {MANIFEST} was changed after the device signed it"
        ) from error
    if device is not None and fingerprint(signer) != device:
        raise PackInvalid(
            f"the pack comes from another device: it was signed with {fingerprint(signer)}, and "
            f"the device's key is {device}"
        )
    return manifest, signer


def _small(archive: zipfile.ZipFile, info: zipfile.ZipInfo, limit: int) -> bytes:
    with archive.open(info) as file:
        data = file.read(limit + 1)
    if len(data) > limit:
        raise PackInvalid(f"no pack of edge-fea: {info.filename} is longer than {limit} bytes")
    return data


def _extract(
    archive: zipfile.ZipFile,
    members: dict[str, zipfile.ZipInfo],
    manifest: Manifest,
    partial: Path,
) -> None:
    stated = {file.name: file for file in manifest.files}
    found = set(members) - {MANIFEST, SIGNATURE}
    if len(stated) != len(manifest.files) or found != set(stated):
        odd = ", ".join(sorted(found ^ set(stated))) or "a name twice"
        raise PackInvalid(f"the files in the pack are not those that the device signed: {odd}")
    needed = sum(file.bytes for file in stated.values())
    if needed > shutil.disk_usage(partial).free:
        raise OutputFull(f"the pack holds {needed / 1e6:.0f} MB, more than there is room for")
    for name in (MANIFEST, SIGNATURE):
        (partial / name).write_bytes(_small(archive, members[name], _LARGEST_MANIFEST))
    for name, file in stated.items():
        _extract_one(archive, members[name], file, partial / name)


def _extract_one(
    archive: zipfile.ZipFile, info: zipfile.ZipInfo, stated: PackedFile, path: Path
) -> None:
    hashed, left = hashlib.sha256(), stated.bytes
    with archive.open(info) as source, path.open("xb") as target:
        # One byte more than stated is asked for, so that a file which goes on is found out.
        while block := source.read(min(_BLOCK, left + 1)):
            left -= len(block)
            if left < 0:
                break
            hashed.update(block)
            target.write(block)
        target.flush()
        os.fsync(target.fileno())
    if left or hashed.hexdigest() != stated.sha256:
        raise PackInvalid(f"{stated.name} is not what the device signed")
