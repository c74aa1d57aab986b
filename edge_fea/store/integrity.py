"""Checks a database file, and rescues what can be read of a damaged one.

A damaged file is set aside under another name, never overwritten; what SQLite can still read of
it is copied into a fresh file in its place.
"""

import sqlite3
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import sqlite_utils

from edge_fea.errors import StoreDamaged
from edge_fea.store.dictionary import TABLES
from edge_fea.store.schema import migrations


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
        if error.sqlite_errorname.startswith(("SQLITE_CORRUPT", "SQLITE_NOTADB", "SQLITE_ERROR")):
            return False
        raise
    finally:
        connection.close()


def rescue(path: Path, now: datetime) -> Rescue:
    """Set the damaged file at ``path`` aside and put what can be read in its place.

    Raises StoreDamaged where the file cannot be renamed.
    """
    aside = unused(path.with_name(f"{path.name}.damaged-{now:%Y%m%dT%H%M%SZ}"))
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


def unused(path: Path) -> Path:
    """``path``, with a number at its end where there is such a file already."""
    number, free = 1, path
    while free.exists():
        number += 1
        free = path.with_name(f"{path.name}-{number}")
    return free


def _copy_readable(path: Path, fresh: Path) -> tuple[int, list[str]]:
    source, target = sqlite3.connect(path), sqlite3.connect(fresh)
    rows, incomplete = 0, []
    try:
        # Lets SQLite read a file that is shorter than its header says; nothing is written to it.
        source.execute("PRAGMA writable_schema=ON")
        # Tables and indexes come from the present schema, whatever is left of the damaged one.
        migrations.apply(sqlite_utils.Database(target))
        with target:
            # What explains the columns is written anew; it is nobody's data. The clips get places
            # of their own, since nobody can say what was recorded last.
            for table in [name for name in TABLES if name not in ("data_dictionary", "clip_order")]:
                copied, whole = _copy_table(source, target, table)
                rows += copied
                if not whole:
                    incomplete.append(table)
    finally:
        source.close()
        target.close()
    return rows, incomplete


def _copy_table(
    source: sqlite3.Connection, target: sqlite3.Connection, table: str
) -> tuple[int, bool]:
    """Copy row by row: from the front until it fails, then from the back down to there.

    Columns are matched by name: a damaged file of an older schema lacks the newer ones.
    """
    known = {row[1] for row in target.execute(f'PRAGMA table_info("{table}")')}
    seen: set[int] = set()
    whole = True
    for order in ("ASC", "DESC"):
        try:
            found = source.execute(
                f'SELECT rowid AS _place, * FROM "{table}" ORDER BY rowid {order}'  # noqa: S608
            )
            names = [column[0] for column in found.description]
            for place, *values in found:
                if place in seen:
                    break
                seen.add(place)
                row = {
                    name: value
                    for name, value in zip(names[1:], values, strict=True)
                    if name in known
                }
                columns = ", ".join(f'"{name}"' for name in row)
                marks = ", ".join("?" * len(row))
                target.execute(
                    f'INSERT OR IGNORE INTO "{table}" ({columns}) VALUES ({marks})',  # noqa: S608
                    list(row.values()),
                )
        except sqlite3.DatabaseError as error:
            # A table that an older schema never had is not a loss.
            if "no such table" in str(error):
                return 0, True
            whole = False
        if whole:
            break
    return len(seen), whole
