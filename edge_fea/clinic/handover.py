"""Nothing leaves without its rows in the audit trail: one before, one after.

A power cut or a killed process between the two leaves a row that says ``begun`` and that no other
row ends. It means that something may have left.
"""

from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

from edge_fea.capture.clock import Clock
from edge_fea.errors import NotAllowed, NotFoundError, NothingNew, StoreError
from edge_fea.store.audit import AuditEntry, AuditTrail
from edge_fea.store.rows import Row

ENCRYPTED_PACK, PLAIN_PACK = "age", "plain"
"""Formats of packs in the audit trail."""


@dataclass
class Receipt:
    """What whoever writes tells the trail; ``seq`` and ``head`` are the row that said ``begun``."""

    seq: int
    head: str
    size: int | None = None
    """Bytes that have left."""

    sha256: str | None = None
    note: str = ""
    patients: tuple[str, ...] = ()
    """The pseudonyms that what left is about, where all were asked for."""

    after_place: int | None = None
    to_place: int | None = None
    readers: tuple[str, ...] = ()
    file: str | None = None
    """Of a pack: see ``AuditEntry``."""


@contextmanager
def on_record(trail: AuditTrail, entry: AuditEntry, clock: Clock) -> Iterator[Receipt]:
    """Put ``entry`` on record as ``begun``, and then how it ended.

    Where the first row cannot be written, the block is not entered and nothing leaves. The block
    fills in the receipt. It ends as ``done``; NotAllowed as ``refused``, NothingNew as
    ``nothing_new``, everything else as ``failed``.

    Raises what ``AuditTrail.append`` raises, and what the block does.
    """
    begun = trail.append(replace(entry, outcome="begun"), clock.now())
    receipt = Receipt(int(begun["seq"]), str(begun["chain"]))
    try:
        yield receipt
    except BaseException as error:
        outcome, note = _told(error)
        try:
            trail.append(_ended(entry, outcome, replace(receipt, note=note)), clock.now())
        except StoreError as second:
            # The row that said begun stands alone, which says enough; the first error is the cause.
            error.add_note(f"and the audit trail could not be ended: {second}")
        raise
    trail.append(_ended(entry, "done", receipt), clock.now())


def _told(error: BaseException) -> tuple[str, str]:
    """Outcome and note of what did not leave."""
    if isinstance(error, NothingNew):
        return "nothing_new", ""
    # The kind alone: a message may hold a path or a pseudonym.
    note = type(error).__name__ if isinstance(error, Exception) else "interrupted"
    return "refused" if isinstance(error, NotAllowed) else "failed", note


def received_to(
    trail: AuditTrail,
    who: str,
    patient: str | None = None,
    *,
    readers: Collection[str] = (),
    holds: Callable[[str], bool] | None = None,
) -> int:
    """The place up to which ``who`` has been given all clips of ``patient``, or of all, in packs.

    0 where a pack must begin with the first clip. It goes by the order in which clips were
    recorded: a clock that is set back hides none. A pack of some other range moves it only where
    it joins on to what was given before, and a pack that was found damaged afterwards (a
    ``failed`` row with its hash) not at all.

    A pack counts only where every one of ``readers`` (fingerprints; none for a plain pack) can
    read it: a new reader is given all clips. With ``holds``, which tells whether the file of a
    name is still there, it goes as far as the packs that are leave no gap from the first clip on.
    """
    try:
        rows = trail.rows()
        wanted = None if patient is None else trail.reference(patient)
    except NotFoundError:
        return 0
    asked = {row["seq"]: row["patient_refs"] for row in rows if row["outcome"] == "begun"}
    packs = [row for row in rows if (row["who"], row["action"]) == (who, "pack")]
    lost = {row["sha256"] for row in packs if row["outcome"] == "failed"} - {None}
    received = 0
    there: list[tuple[int, int]] = []
    for row in packs:
        if row["outcome"] != "done" or row["sha256"] in lost or asked.get(row["ends"]) != wanted:
            continue
        # A trail that an older edge-fea wrote has no places: everything is given once more.
        after, to = row.get("after_place"), row.get("to_place")
        if after is None or to is None or after > received or not _readable(row, readers):
            continue
        received = max(received, to)
        if holds is not None and row["file"] is not None and holds(row["file"]):
            there.append((after, to))
    return received if holds is None else _without_gap(there)


def _without_gap(packs: list[tuple[int, int]]) -> int:
    """How far packs, each from one place to another, reach from the first clip on."""
    reached = 0
    # A pack of everything may have closed the gap before one that was made earlier.
    for after, to in sorted(packs):
        if after > reached:
            break
        reached = max(reached, to)
    return reached


def _readable(row: Row, readers: Collection[str]) -> bool:
    """Whether each of ``readers`` can read the pack of ``row``; everybody can read a plain one."""
    if row["format"] == PLAIN_PACK:
        return True
    # A trail of an older edge-fea does not say to whom a pack was encrypted.
    return bool(readers) and set(readers) <= set((row.get("readers") or "").split())


def _ended(entry: AuditEntry, outcome: str, receipt: Receipt) -> AuditEntry:
    return replace(
        entry,
        outcome=outcome,
        ends=receipt.seq,
        size=receipt.size,
        sha256=receipt.sha256,
        note=receipt.note,
        patients=receipt.patients,
        after_place=receipt.after_place,
        to_place=receipt.to_place,
        readers=receipt.readers,
        file=receipt.file,
    )
