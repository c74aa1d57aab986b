"""The anchor of the audit trail: a row of it that the database remembers.

The trail shows what was done to its rows, but not that the whole file was removed or replaced. So
the service keeps number and hash of the trail's last row in the database too, which then must be
in the trail for ever after.
"""

from dataclasses import dataclass
from pathlib import Path

import sqlite_utils

from edge_fea.errors import AuditBroken, NotFoundError
from edge_fea.store.audit import AuditTrail
from edge_fea.store.database import writing
from edge_fea.store.errors_from_sqlite import translated


@dataclass(frozen=True, slots=True)
class Anchor:
    """A row of the trail."""

    seq: int
    chain: str
    at_utc: str
    """When the row was written."""

    def missing_in(self, trail: AuditTrail) -> str | None:
        """What is wrong with a trail that lacks this row; None where it has it."""
        row = f"row {self.seq} was recorded on {self.at_utc}"
        try:
            if trail.contains(self.chain):
                return None
        except NotFoundError:
            return f"no trail found, although {row}: it was removed or moved"
        return f"{row}, and is not in it: its end was cut off, or it was rewritten or replaced"


def anchor_of(db: sqlite_utils.Database) -> Anchor | None:
    """The row that the database remembers; None before the service has met a trail."""
    found = db.execute("SELECT seq, chain, at_utc FROM audit_anchor").fetchone()
    return None if found is None else Anchor(*found)


def move_anchor(db: sqlite_utils.Database, path: Path, trail: AuditTrail) -> None:
    """Remember the last row of ``trail`` in the database, whose file is ``path``.

    Raises AuditBroken where the row remembered until now is not in the trail: it stays the anchor,
    or the next look would find nothing wrong. So it does where the trail has no row at all.
    Raises a StoreError where one of the files fails.
    """
    with translated(path):
        before = anchor_of(db)
    if before is not None and (fault := before.missing_in(trail)):
        raise AuditBroken(f"the audit trail {trail.path}: {fault}")
    try:
        last = _last(trail)
    except NotFoundError:
        return
    if last is None:
        # Its first row is written together with its tables: without one, rows were taken out.
        raise AuditBroken(f"the audit trail {trail.path} has no rows: they were removed")
    if last != before:
        with translated(path), writing(db):
            _remember(db, last)


def settle_anchor(db: sqlite_utils.Database, path: Path, trail: AuditTrail) -> str:
    """Let a database that was put back, the file ``path``, go by ``trail``, which was not.

    A row that it remembers of another trail gives way to the last one of this trail, or to none.
    Returns what was done, for the trail; empty where there was nothing to do. Raises a StoreError
    where one of the files fails.
    """
    with translated(path):
        # A backup of an older edge-fea remembers nothing.
        before = anchor_of(db) if "audit_anchor" in db.table_names() else None
    if before is None or before.missing_in(trail) is None:
        return ""
    try:
        last = _last(trail)
    except NotFoundError:
        last = None
    with translated(path), writing(db):
        db.conn.execute("DELETE FROM audit_anchor")
        if last is not None:
            _remember(db, last)
    now = "none" if last is None else f"row {last.seq}"
    return (
        f"the backup's database remembered row {before.seq} of {before.at_utc}, which is not in "
        f"this trail; now it remembers {now}"
    )


def _last(trail: AuditTrail) -> Anchor | None:
    rows = trail.rows()
    return Anchor(rows[-1]["seq"], rows[-1]["chain"], rows[-1]["at_utc"]) if rows else None


def _remember(db: sqlite_utils.Database, anchor: Anchor) -> None:
    db.conn.execute(
        "INSERT OR REPLACE INTO audit_anchor (anchor_id, seq, chain, at_utc) VALUES (1, ?, ?, ?)",
        [anchor.seq, anchor.chain, anchor.at_utc],
    )
