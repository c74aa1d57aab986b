"""Packs: several files for a clinician as one, signed by the device and encrypted.

``NAME.edgefea`` is an age file (https://age-encryption.org/v1) to the clinicians' public keys. In
it is a zip archive: the files, ``manifest.json`` with the size and SHA-256 of each, and
``manifest.sig``, the device's Ed25519 signature over the bytes of ``manifest.json`` (64 bytes,
RFC 8032). A plain pack, ``NAME.zip``, is that archive alone. So ``age``, ``unzip``, ``sha256sum``
and ``openssl`` read a pack where there is no edge-fea.

Everything is streamed: no file of a pack is in memory as a whole, nor is it anywhere on the
device's card in the clear.
"""

import hashlib
import io
import re
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any, BinaryIO, cast

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from edge_fea import __version__
from edge_fea.capture.clock import iso
from edge_fea.clinic.age import encrypted
from edge_fea.clinic.keys import age_recipients, encoded
from edge_fea.clinic.manifest import (
    MANIFEST,
    NAME_PATTERN,
    SIGNATURE,
    AuditHead,
    Manifest,
    PackedFile,
    PackedReport,
)
from edge_fea.clinic.outlet import Written, write_whole
from edge_fea.config import ClinicSettings
from edge_fea.errors import NotAllowed
from edge_fea.store.schema import known

ENCRYPTED, PLAIN = ".edgefea", ".zip"
_BUFFER = 1 << 16
# A zip archive knows no earlier year, and a Pi without a clock starts in 1970.
_FIRST_YEAR = 1980


@dataclass(frozen=True, slots=True)
class PackMember:
    """A file of a pack: ``write`` writes it, front to back, without seeking."""

    name: str
    write: Callable[[BinaryIO], None]


@dataclass(frozen=True, slots=True)
class PackFacts:
    """What the manifest says beside the files."""

    device_id: str
    made: datetime
    start: datetime | None
    end: datetime | None
    """Every clip that starts before this moment is in the pack."""

    patients: tuple[str, ...]
    networks: tuple[str, ...]
    clips: int
    audit_seq: int
    audit_head: str
    reports: tuple[PackedReport, ...] = ()


def readers(clinic: ClinicSettings) -> tuple[str, ...]:
    """Whom packs are encrypted to; empty where the operator allowed plain ones.

    Raises NotAllowed where nobody could read a pack and plain ones are not allowed, ConfigError
    for a wrong key.
    """
    if not clinic.recipients and not clinic.plain_packs:
        raise NotAllowed(
            "no pack without a reader: put a clinician's public key (`edge-fea key make-recipient` "
            "prints it) into clinic.recipients, or allow packs that anybody can read with "
            "clinic.plain_packs = true"
        )
    age_recipients(clinic.recipients)
    return clinic.recipients


def make_pack(
    path: Path,
    members: Sequence[PackMember],
    facts: PackFacts,
    *,
    key: Ed25519PrivateKey,
    recipients: Sequence[str],
) -> Written:
    """Write a pack that then stands under ``path``, whole and read back; see ``write_pack``.

    Raises as ``outlet.write_whole`` does, and what a member raises.
    """
    return write_whole(
        path, lambda out: write_pack(out, members, facts, key=key, recipients=recipients)
    )


def write_pack(
    out: BinaryIO,
    members: Sequence[PackMember],
    facts: PackFacts,
    *,
    key: Ed25519PrivateKey,
    recipients: Sequence[str],
) -> None:
    """Write a pack into ``out``, which need not be able to seek; plain without ``recipients``.

    What a member raises is raised, and then what was written until there opens with no key.
    """
    _refuse_names([member.name for member in members])
    if recipients:
        with encrypted(out, age_recipients(recipients)) as inside:
            _write_archive(inside, members, facts, key, recipients)
    else:
        _write_archive(out, members, facts, key, recipients)


def _write_archive(
    out: BinaryIO,
    members: Sequence[PackMember],
    facts: PackFacts,
    key: Ed25519PrivateKey,
    recipients: Sequence[str],
) -> None:
    made = facts.made.astimezone(UTC)
    moment = made.timetuple()[:6] if made.year >= _FIRST_YEAR else (_FIRST_YEAR, 1, 1, 0, 0, 0)
    with zipfile.ZipFile(cast(BinaryIO, _Forward(out)), "w", zipfile.ZIP_DEFLATED) as archive:

        def entry(name: str) -> zipfile.ZipInfo:
            info = zipfile.ZipInfo(name, moment)
            info.compress_type = zipfile.ZIP_DEFLATED
            info.external_attr = 0o100600 << 16
            return info

        files = []
        for member in members:
            # Nobody knows the size yet, and it may be beyond what zip without its 64 bits holds.
            with archive.open(entry(member.name), "w", force_zip64=True) as inside:
                files.append(_fill(inside, member))
        manifest = _manifest(facts, key, recipients, files).encode()
        archive.writestr(entry(MANIFEST), manifest)
        archive.writestr(entry(SIGNATURE), key.sign(manifest))


def _fill(inside: IO[bytes], member: PackMember) -> PackedFile:
    measured = _Measured(inside)
    with io.BufferedWriter(measured, _BUFFER) as buffered:
        member.write(buffered)
    return PackedFile(name=member.name, bytes=measured.size, sha256=measured.hash.hexdigest())


def _manifest(
    facts: PackFacts, key: Ed25519PrivateKey, recipients: Sequence[str], files: list[PackedFile]
) -> Manifest:
    return Manifest(
        made_utc=iso(facts.made),
        device_id=facts.device_id,
        device_key=encoded(key.public_key()),
        app_version=__version__,
        schema_step=max(known()),
        networks=list(facts.networks),
        from_utc=iso(facts.start) if facts.start else None,
        to_utc=iso(facts.end) if facts.end else None,
        patients=list(facts.patients),
        clips=facts.clips,
        recipients=list(recipients),
        reports=list(facts.reports),
        audit=AuditHead(seq=facts.audit_seq, head=facts.audit_head),
        files=files,
    )


def _refuse_names(names: list[str]) -> None:
    # Folded: a laptop's file system may hold P07 and p07 for the same.
    taken = {MANIFEST, SIGNATURE}
    for name in names:
        if not re.fullmatch(NAME_PATTERN, name) or name.casefold() in taken:
            raise ValueError(f"no name for a file of a pack, or twice: {name!r}")
        taken.add(name.casefold())


class _Forward:
    """A file that cannot go back, whatever it is: zipfile then writes the same for all."""

    def __init__(self, out: BinaryIO) -> None:
        self._out = out

    def write(self, data: bytes, /) -> int:
        return self._out.write(data)

    def flush(self) -> None:
        self._out.flush()


class _Measured(io.RawIOBase):
    """Passes bytes on, and keeps their number and hash."""

    def __init__(self, out: IO[bytes]) -> None:
        super().__init__()
        self._out = out
        self.hash = hashlib.sha256()
        self.size = 0

    def writable(self) -> bool:
        return True

    def write(self, data: Any, /) -> int:
        block = bytes(data)
        self.hash.update(block)
        self.size += len(block)
        return self._out.write(block)
