"""How a pack is ordered and handed over: with its rows in the audit trail."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO, cast

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from edge_fea.capture.clock import Clock, iso
from edge_fea.clinic.handover import (
    ENCRYPTED_PACK,
    PLAIN_PACK,
    Receipt,
    on_record,
    received_to,
)
from edge_fea.clinic.keys import device_key, reader_fingerprint
from edge_fea.clinic.manifest import PackedReport
from edge_fea.clinic.outlet import HashingWriter
from edge_fea.clinic.pack import (
    ENCRYPTED,
    PLAIN,
    PackFacts,
    PackMember,
    make_pack,
    readers,
    write_pack,
)
from edge_fea.clinic.pack_members import Report, members, reports_in
from edge_fea.clinic.selection import Selection
from edge_fea.config import Settings
from edge_fea.errors import NotFoundError, NothingNew
from edge_fea.store.audit import AuditEntry, AuditTrail
from edge_fea.store.clips import ClipFilter, ClipReader


@dataclass(frozen=True, slots=True)
class PackOrder:
    """What somebody asks for."""

    who: str
    """For the audit trail: ``AuditEntry.who``."""

    patient: str | None = None
    """The pseudonym, None for all patients."""

    start: datetime | None = None
    end: datetime | None = None
    since_last: bool = False
    """Instead of ``start``: what was recorded after the packs that ``who`` has received."""

    still_in: Path | None = None
    """A folder: of those packs, only the ones whose files are still there, up to the first gap."""


@dataclass(frozen=True, slots=True)
class Packed:
    """What has left."""

    path: Path | None
    """None for a stream."""

    size: int
    sha256: str
    clips: int
    patients: tuple[str, ...]
    start: datetime | None
    end: datetime
    encrypted: bool


def pack_into(
    target: Path, order: PackOrder, settings: Settings, trail: AuditTrail, clock: Clock
) -> Packed:
    """Make a pack as the file ``target``, or under a name of its own in the folder ``target``.

    Raises NotAllowed where nobody could read it, NotFoundError without a clip, ConfigError for a
    key, and what ``outlet.write_whole`` and the audit trail raise; then nothing was left there.
    """
    with _ordered(order, settings, trail, clock) as ready:
        path = target
        if target.is_dir():
            path = target / ready.name
            ready.receipt.file = ready.name
        written = make_pack(
            path, ready.members, ready.facts, key=ready.key, recipients=ready.recipients
        )
        ready.receipt.size, ready.receipt.sha256 = written.size, written.sha256
    return _packed(ready, path, written.size, written.sha256)


def pack_through(
    out: BinaryIO, order: PackOrder, settings: Settings, trail: AuditTrail, clock: Clock
) -> Packed:
    """Write a pack to a stream, such as standard output. It cannot be read back.

    Raises as ``pack_into``, or OSError where the stream breaks; the audit trail then says how much
    had left.
    """
    hashed = HashingWriter(out)
    with _ordered(order, settings, trail, clock) as ready:
        try:
            write_pack(
                cast(BinaryIO, hashed),
                ready.members,
                ready.facts,
                key=ready.key,
                recipients=ready.recipients,
            )
            hashed.flush()
        finally:
            ready.receipt.size, ready.receipt.sha256 = hashed.size, hashed.sha256
    return _packed(ready, None, hashed.size, hashed.sha256)


@dataclass(frozen=True, slots=True)
class _Ready:
    name: str
    members: list[PackMember]
    facts: PackFacts
    end: datetime
    key: Ed25519PrivateKey
    recipients: tuple[str, ...]
    receipt: Receipt


@contextmanager
def _ordered(
    order: PackOrder, settings: Settings, trail: AuditTrail, clock: Clock
) -> Iterator[_Ready]:
    """Put the order on record, then see whether it is allowed, and gather what goes into it."""
    store, made = settings.store, clock.now()
    with (
        ClipReader(store.database, busy_timeout=store.busy_timeout_s) as reader,
        # The rows in the trail and the pack itself are of the same clips.
        reader.one_moment(),
    ):
        received = _received(order, settings, trail)
        if received > reader.last_place():
            # Of another database, that was here before this one.
            received = 0
        # Whoever asks for everything gets it whatever was received before.
        after = received if order.since_last or order.start is not None else 0
        recorded_after = received if order.since_last and received else None
        wanted = ClipFilter(order.start, order.end, order.patient, after=recorded_after)
        starts = reader.starts(wanted)
        start = order.start if recorded_after is None or starts is None else starts[0]
        end = _settled(reader, order.end, made)
        if starts is not None:
            # Of a clock that had run ahead, or was set back since.
            end = max(end, starts[1])
        selection = Selection(reader, wanted)
        reports = [*reports_in(selection, settings, made, end)]
        form = ENCRYPTED_PACK if settings.clinic.recipients else PLAIN_PACK
        span = _widest(start, end, reports)
        entry = AuditEntry(order.who, "pack", "begun", order.patient, *span, form)
        with on_record(trail, entry, clock) as receipt:
            recipients = readers(settings.clinic)
            receipt.readers = _fingerprints(recipients)
            key = device_key(settings.clinic.signing_key)
            receipt.after_place = after
            receipt.to_place = reader.complete_to(wanted, after)
            facts = _facts(selection, reports, settings, made, start, end, receipt)
            receipt.patients = facts.patients
            kind = ENCRYPTED if recipients else PLAIN
            yield _Ready(
                f"edge-fea-{facts.device_id}-{made.astimezone(UTC):%Y%m%dT%H%M%SZ}{kind}",
                members(selection, reports, settings, made),
                facts,
                end,
                key,
                recipients,
                receipt,
            )


def _widest(
    start: datetime | None, end: datetime, reports: list[Report]
) -> tuple[datetime | None, datetime]:
    """The range of all that leaves: a report goes further back than the clips of a few days."""
    since = None if start is None else min([start, *(each.since for each in reports)])
    return since, max([end, *(each.until for each in reports)])


def _received(order: PackOrder, settings: Settings, trail: AuditTrail) -> int:
    folder = order.still_in
    # By its name alone: nothing of what is there is read.
    holds = None if folder is None else lambda name: os.path.lexists(folder / name)
    who = _fingerprints(settings.clinic.recipients)
    return received_to(trail, order.who, order.patient, readers=who, holds=holds)


def _fingerprints(recipients: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(reader_fingerprint(each) for each in recipients)


def _settled(reader: ClipReader, asked: datetime | None, now: datetime) -> datetime:
    """The moment up to which the pack lacks no clip: the running one is not in it."""
    return min(each for each in (asked, now, reader.running_since()) if each is not None)


def _facts(
    selection: Selection,
    reports: list[Report],
    settings: Settings,
    made: datetime,
    start: datetime | None,
    end: datetime,
    receipt: Receipt,
) -> PackFacts:
    clips = selection.count()
    if not clips:
        raise _none(selection)
    return PackFacts(
        device_id=settings.device.identity(),
        made=made,
        start=start,
        end=end,
        patients=tuple(selection.patients()),
        networks=tuple(selection.reader.networks(selection.wanted)),
        clips=clips,
        audit_seq=receipt.seq,
        audit_head=receipt.head,
        reports=tuple(
            PackedReport(name=each.name, from_utc=iso(each.since), to_utc=iso(each.until))
            for each in reports
        ),
    )


def _none(selection: Selection) -> NotFoundError:
    """Why there is no clip for a pack."""
    wanted = selection.wanted
    whose = "" if wanted.patient is None else f" of patient {wanted.patient}"
    if wanted.after is not None and selection.reader.count(replace(wanted, after=None)):
        return NothingNew(
            f"nothing new{whose} since the last pack: all clips of before are in packs that were "
            "received; without --since-last (on a stick: with --all) they come once more"
        )
    if not selection.reader.count(ClipFilter(patient=wanted.patient)):
        return NotFoundError(f"no clips{whose} for a pack: there are none, or none has ended yet")
    return NotFoundError(
        f"no clips{whose} for a pack in the period that was asked for: `edge-fea summary --by day` "
        "lists the days that have some"
    )


def _packed(ready: _Ready, path: Path | None, size: int, sha256: str) -> Packed:
    facts = ready.facts
    return Packed(
        path,
        size,
        sha256,
        facts.clips,
        facts.patients,
        facts.start,
        ready.end,
        bool(ready.recipients),
    )
