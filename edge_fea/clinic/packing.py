"""What is in a pack, and how one is handed over: with its rows in the audit trail."""

import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from typing import BinaryIO, Final, cast

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from edge_fea.capture.clock import Clock, iso, system_zone, zone_named
from edge_fea.clinic.export import FORMATS
from edge_fea.clinic.export.form import PLAIN as PLAIN_EXPORT
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
from edge_fea.clinic.report import render_html
from edge_fea.clinic.selection import Selection
from edge_fea.config import Settings
from edge_fea.errors import NotFoundError, NothingNew
from edge_fea.store import dictionary
from edge_fea.store.audit import AuditEntry, AuditTrail
from edge_fea.store.clips import ClipFilter, ClipReader

_FORMATS = {"csv": "clips.csv", "fhir": "clips.fhir.json"}
"""The formats of the clips in a pack, and their files."""

REPORT_DAYS: Final = 90
"""Days that a report covers in a pack whose begin nobody chose: one on the few days since the last
pack could not show what has changed for good."""


@dataclass(frozen=True, slots=True)
class Report:
    """A report in a pack."""

    name: str
    since: datetime
    until: datetime
    selection: Selection


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


def members(
    selection: Selection, reports: list[Report], settings: Settings, made: datetime
) -> list[PackMember]:
    """The files of a pack: a report on each patient, the clips in two formats, the dictionary."""
    files = [PackMember(each.name, _written(each.selection, settings, made)) for each in reports]
    files += [PackMember(name, _export(form, selection)) for form, name in _FORMATS.items()]
    return [*files, PackMember("dictionary.md", _text(dictionary.markdown))]


def reports_in(
    selection: Selection, settings: Settings, made: datetime, end: datetime
) -> Iterator[Report]:
    """A report on each patient with clips in the pack, which goes up to ``end``.

    It begins where the pack does, if somebody said where: they get nothing from before. Otherwise
    it covers ``REPORT_DAYS`` whole days of the patient's time zone, up to the last clip that the
    pack's end allows.
    """
    zone = zone_named(settings.device.time_zone or system_zone())
    for patient, name in _report_names(selection.patients()):
        until = ClipFilter(end=selection.wanted.end, patient=patient)
        starts = selection.reader.starts(until)
        # A clock that had run ahead must not leave out what it ran ahead of.
        last = (made if starts is None else min(made, starts[1])).astimezone(zone).date()
        since = selection.wanted.start
        if since is None:
            since = datetime.combine(last - timedelta(days=REPORT_DAYS - 1), time(), zone)
        latest = end if starts is None else max(end, starts[1])
        yield Report(name, since, latest, Selection(selection.reader, replace(until, start=since)))


def _report_names(patients: list[str]) -> Iterator[tuple[str, str]]:
    """A name for each patient's report; pseudonyms that differ only in case get a number.

    So do those of a database that somebody edited by hand, if they would be no names of files.
    """
    taken: set[str] = set()
    for patient in patients:
        plain = re.sub(r"[^A-Za-z0-9._-]", "_", patient)[:64]
        name, number = f"report-{plain}.html", 1
        while name.casefold() in taken:
            number += 1
            name = f"report-{plain}-{number}.html"
        taken.add(name.casefold())
        yield patient, name


def _written(
    selection: Selection, settings: Settings, made: datetime
) -> Callable[[BinaryIO], None]:
    return _text(lambda: render_html(selection, settings, made=made))


def _text(make: Callable[[], str]) -> Callable[[BinaryIO], None]:
    def write(out: BinaryIO) -> None:
        out.write(make().encode())

    return write


def _export(form: str, selection: Selection) -> Callable[[BinaryIO], None]:
    def write(out: BinaryIO) -> None:
        FORMATS[form].write(selection, out, PLAIN_EXPORT)

    return write


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
