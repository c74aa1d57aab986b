"""A database of its own from some of the clips, with the same schema."""

import sqlite3
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

import sqlite_utils

_OF_CLIPS = "SELECT {column} FROM clips WHERE {clips}"

# Which rows of a table go with the clips that are wanted. A table that is not named goes empty:
# nothing leaves because somebody forgot it here.
_ROWS = {
    "clips": "{clips}",
    "seconds": "clip_id IN ({clip_ids})",
    "stays": "patient IN ({patients}) AND ({before_end}) AND ({after_start})",
    "baselines": "baseline_id IN ({baselines})",
    "baseline_resets": "patient IN ({patients}) AND ({reset_before_end})",
    "data_dictionary": "1",
    # Which steps of the schema were taken: without it edge-fea would not open the copy.
    "_sqlite_migrations": "1",
}


def copy_selected(
    source: sqlite_utils.Database,
    path: Path,
    condition: str,
    values: Mapping[str, object],
    *,
    series: bool,
) -> None:
    """Write the clips that meet ``condition``, and what belongs to them, into a new ``path``.

    Stays go along where they touch the period, baselines where a clip refers to them, the second
    series with ``series``. Call it within one transaction, so that all is of one moment.

    Raises sqlite3.Error.
    """
    with closing(sqlite3.connect(path, isolation_level=None)) as target:
        # Nobody reads this file before it is whole, and a failed one is thrown away.
        target.execute("PRAGMA journal_mode=OFF")
        target.execute("PRAGMA synchronous=OFF")
        target.execute("BEGIN")
        for table, statement in _statements(source, "table"):
            target.execute(statement)
            if table != "seconds" or series:
                _copy_rows(source, target, table, _rows(table, condition, values), values)
        for kind in ("index", "view", "trigger"):
            for _, statement in _statements(source, kind):
                target.execute(statement)
        target.execute("COMMIT")


def _statements(db: sqlite_utils.Database, kind: str) -> list[tuple[str, str]]:
    found = db.execute(
        "SELECT name, sql FROM sqlite_master WHERE type = ? AND sql IS NOT NULL "
        "AND name NOT LIKE 'sqlite!_%' ESCAPE '!' ORDER BY rowid",
        [kind],
    )
    return list(found.fetchall())


def _rows(table: str, condition: str, values: Mapping[str, object]) -> str:
    names = {"clip_ids": "clip_id", "patients": "patient", "baselines": "baseline_id"}
    parts = {
        name: _OF_CLIPS.format(column=column, clips=condition) for name, column in names.items()
    }
    return _ROWS.get(table, "0").format(
        clips=condition,
        before_end="start_utc < :end" if "end" in values else "1",
        after_start="end_utc IS NULL OR end_utc > :start" if "start" in values else "1",
        reset_before_end="at_utc < :end" if "end" in values else "1",
        **parts,
    )


def _copy_rows(
    source: sqlite_utils.Database,
    target: sqlite3.Connection,
    table: str,
    rows: str,
    values: Mapping[str, object],
) -> None:
    found = source.execute(f'SELECT * FROM "{table}" WHERE {rows}', dict(values))  # noqa: S608
    marks = ", ".join("?" for _ in found.description)
    target.executemany(f'INSERT INTO "{table}" VALUES ({marks})', found)  # noqa: S608
