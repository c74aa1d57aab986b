"""The tables of the audit trail's file, as numbered steps, and what makes it append-only."""

import secrets

import sqlite_utils
from sqlite_utils import Migrations

migrations = Migrations("edge_fea_audit")
FIRST = "0" * 64
"""What stands for the hash before the first row."""

STEPS = ("0001_audit", "0002_places", "0003_readers")

ADDED = ("after_place", "to_place", "readers", "file")
"""Columns of a later step. They are in a row's hash where they hold something: the hashes of older
rows stay what they were."""

# What makes the file append-only for whoever does not take these away, which then shows.
# audit_follows: without it, INSERT OR REPLACE removes a row and no DELETE trigger is asked.
GUARDS = {
    "audit_keeps": "CREATE TRIGGER audit_keeps BEFORE UPDATE ON audit "
    "BEGIN SELECT RAISE(ABORT, 'rows of the audit trail are never changed'); END",
    "audit_stays": "CREATE TRIGGER audit_stays BEFORE DELETE ON audit "
    "BEGIN SELECT RAISE(ABORT, 'rows of the audit trail are never removed'); END",
    "audit_follows": "CREATE TRIGGER audit_follows BEFORE INSERT ON audit "
    "WHEN NEW.seq <= (SELECT coalesce(max(seq), 0) FROM audit) OR NEW.previous <> coalesce("
    "(SELECT chain FROM audit ORDER BY seq DESC LIMIT 1), hex(zeroblob(32))) "
    "BEGIN SELECT RAISE(ABORT, 'rows of the audit trail are only added at its end'); END",
    "audit_key_keeps": "CREATE TRIGGER audit_key_keeps BEFORE UPDATE ON audit_key "
    "BEGIN SELECT RAISE(ABORT, 'the key of the audit trail is never changed'); END",
    "audit_key_stays": "CREATE TRIGGER audit_key_stays BEFORE DELETE ON audit_key "
    "BEGIN SELECT RAISE(ABORT, 'the key of the audit trail is never removed'); END",
    "audit_key_alone": "CREATE TRIGGER audit_key_alone BEFORE INSERT ON audit_key "
    "BEGIN SELECT RAISE(ABORT, 'the key of the audit trail is never changed'); END",
}


@migrations(name=STEPS[0])
def create_audit(db: sqlite_utils.Database) -> None:
    """The trail, and the key that patients' references are made with."""
    # Statement by statement: executescript would commit the transaction that this is a part of.
    db.conn.execute(
        """
        CREATE TABLE audit (
            seq INTEGER PRIMARY KEY AUTOINCREMENT, ends INTEGER,
            at_utc TEXT NOT NULL, who TEXT NOT NULL, action TEXT NOT NULL, outcome TEXT NOT NULL,
            patient_refs TEXT, from_utc TEXT, to_utc TEXT, format TEXT, bytes INTEGER, sha256 TEXT,
            note TEXT NOT NULL, previous TEXT NOT NULL, chain TEXT NOT NULL
        ) STRICT
        """
    )
    db.conn.execute("CREATE TABLE audit_key (key TEXT NOT NULL) STRICT")
    db.conn.execute("INSERT INTO audit_key VALUES (?)", [secrets.token_hex(32)])
    for statement in GUARDS.values():
        db.conn.execute(statement)


@migrations(name=STEPS[1])
def add_places(db: sqlite_utils.Database) -> None:
    """Which clips a pack holds, by the order in which they were recorded."""
    for name in ("after_place", "to_place"):
        db.conn.execute(f"ALTER TABLE audit ADD COLUMN {name} INTEGER")


@migrations(name=STEPS[2])
def add_readers(db: sqlite_utils.Database) -> None:
    """Who can read a pack, and under which name it was left."""
    for name in ("readers", "file"):
        db.conn.execute(f"ALTER TABLE audit ADD COLUMN {name} TEXT")
