"""The chain of the audit trail: the hash of a row, and what shows that rows were tampered with."""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass

from edge_fea.store.audit_schema import ADDED, FIRST, GUARDS
from edge_fea.store.rows import Row


@dataclass(frozen=True, slots=True)
class Fault:
    """Where the trail is not as it was written; row 0 is the file as a whole."""

    seq: int
    what: str

    def __str__(self) -> str:
        return f"row {self.seq}: {self.what}" if self.seq else self.what


def guards_faults(found: dict[str, str]) -> Iterator[Fault]:
    """Which triggers are gone from ``found``: statements by name."""
    for name, statement in GUARDS.items():
        if found.get(name) != statement:
            yield Fault(0, f"the trigger {name}, which keeps rows from being changed, is gone")


def chain_faults(rows: list[Row], counted: int) -> Iterator[Fault]:
    """Where ``rows``, the oldest first, are not as they were written; ``counted`` says how many."""
    if not rows and not counted:
        # The first row is written together with the tables.
        yield Fault(0, "no row is left")
    previous, expected = FIRST, 1
    for row in rows:
        seq = int(row["seq"])
        if seq != expected:
            yield Fault(seq, _missing(expected, seq - 1, ", before it,"))
        elif row["previous"] != previous:
            yield Fault(seq, "does not follow from the row before it")
        if row["chain"] != chain(row):
            yield Fault(seq, "was changed after it was written, or not written by edge-fea")
        previous, expected = row["chain"], seq + 1
    if counted >= expected:
        yield Fault(0, f"{_missing(expected, counted)} at the end")
    elif counted < expected - 1:
        yield Fault(0, f"{expected - 1} rows, but the counter of rows says {counted}")


def _missing(first: int, last: int, where: str = "") -> str:
    if first == last:
        return f"row {first}{where} is missing"
    return f"rows {first} to {last}{where} are missing"


def chain(row: Row) -> str:
    """The hash of a row: SHA-256, hexadecimal."""
    # Every column but the hash itself; as JSON, so that no two rows read alike.
    values = {
        name: value
        for name, value in row.items()
        if name != "chain" and not (name in ADDED and value is None)
    }
    text = json.dumps(values, sort_keys=True, ensure_ascii=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()
