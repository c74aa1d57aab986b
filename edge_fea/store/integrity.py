"""Checks a database file, and rescues what can be read of a damaged one.

A damaged file is set aside under another name, never overwritten; what SQLite can still read of
it is copied into a fresh file in its place.
"""

import sqlite3
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from edge_fea.errors import StoreDamaged


@dataclass(frozen=True, slots=True)
class Rescue:
    """What became of a damaged file."""

    set_aside: Path
    rows: int
    """Rows read from it into the fresh file."""

    tables: tuple[str, ...]
    """Tables that could not be read to their end."""

    def __str__(self) -> str:
        lost = f"; incomplete: {', '.join(self.tables)}" if self.tables else ""
        return (
            f"the database was damaged: {self.rows} rows recovered, the damaged file is kept as "
            f"{self.set_aside}{lost}"
        )


def is_sound(path: Path) -> bool:
    """Whether SQLite's quick_check passes; a file that is no database is not sound."""
    connection = sqlite3.connect(path)
    try:
        return bool(connection.execute("PRAGMA quick_check(1)").fetchone() == ("ok",))
    except sqlite3.DatabaseError as error:
        if isinstance(error, sqlite3.OperationalError):
            raise
        return False
    finally:
        connection.close()


def rescue(path: Path, now: datetime) -> Rescue:
    """Set the damaged file at ``path`` aside and put what can be read in its place.

    Raises StoreDamaged where the file cannot be renamed.
    """
    aside = path.with_name(f"{path.name}.damaged-{now:%Y%m%dT%H%M%SZ}")
    fresh = path.with_name(path.name + ".recovering")
    fresh.unlink(missing_ok=True)
    rows, incomplete = _copy_readable(path, fresh)
    try:
        path.rename(aside)
        for suffix in ("-wal", "-shm"):
            journal = path.with_name(path.name + suffix)
            if journal.exists():
                journal.rename(aside.with_name(aside.name + suffix))
        fresh.rename(path)
    except OSError as error:
        raise StoreDamaged(f"{path} is damaged and cannot be set aside: {error}") from error
    return Rescue(aside, rows, tuple(incomplete))


def _copy_readable(path: Path, fresh: Path) -> tuple[int, list[str]]:
    source, target = sqlite3.connect(path), sqlite3.connect(fresh)
    rows, incomplete = 0, []
    try:
        with target:
            target.execute("PRAGMA journal_mode=DELETE")
            for name, sql in _tables(source):
                target.execute(sql)
                copied, whole = _copy_table(source, target, name)
                rows += copied
                if not whole:
                    incomplete.append(name)
    finally:
        source.close()
        target.close()
    return rows, incomplete


def _tables(source: sqlite3.Connection) -> list[tuple[str, str]]:
    try:
        return source.execute(
            "SELECT name, sql FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
        ).fetchall()
    except sqlite3.DatabaseError:
        return []  # Not even the list of tables is left: the fresh file stays empty.


def _copy_table(
    source: sqlite3.Connection, target: sqlite3.Connection, name: str
) -> tuple[int, bool]:
    """Copy row by row: from the front until it fails, then from the back down to there."""
    seen: set[int] = set()
    whole = True
    for order in ("ASC", "DESC"):
        try:
            for rowid, *values in source.execute(
                f'SELECT rowid, * FROM "{name}" ORDER BY rowid {order}'  # noqa: S608
            ):
                if rowid in seen:
                    break
                seen.add(rowid)
                marks = ", ".join("?" * len(values))
                target.execute(f'INSERT OR IGNORE INTO "{name}" VALUES ({marks})', values)  # noqa: S608
        except sqlite3.DatabaseError:
            whole = False
        if whole:
            break
    return len(seen), whole
