"""An audit trail with some rows, and ways to harm it."""

import sqlite3
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest

from edge_fea.store.audit import AuditEntry, AuditTrail
from edge_fea.store.audit_schema import GUARDS
from tests.conftest import NOON


@pytest.fixture
def trail(tmp_path: Path) -> AuditTrail:
    return AuditTrail(tmp_path / "audit" / "edge-fea-audit.db", busy_timeout=1)


def fill(trail: AuditTrail, rows: int = 5) -> None:
    for number in range(rows):
        entry = AuditEntry("user:anna", "export", "done", "P07", NOON, format="csv", size=number)
        trail.append(entry, NOON + timedelta(minutes=number))


def tamper(trail: AuditTrail, *statements: str) -> None:
    """What somebody does who opens the file with sqlite3 and takes the triggers away."""
    with closing(sqlite3.connect(trail.path, isolation_level=None)) as db:
        for name in GUARDS:
            db.execute(f"DROP TRIGGER {name}")
        for statement in statements:
            db.execute(statement)
        for statement in GUARDS.values():
            db.execute(statement)


def found(trail: AuditTrail) -> str:
    return "; ".join(map(str, trail.faults()))
