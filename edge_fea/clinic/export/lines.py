"""JSON Lines: one object a clip, for programs."""

import json
from pathlib import Path

from edge_fea.clinic.export.form import Extras, Format, Sink
from edge_fea.clinic.selection import Selection
from edge_fea.store.dictionary import TABLES
from edge_fea.store.rows import Row

_BOOLEANS = [column.name for column in TABLES["clips"] if column.kind == "boolean"]


def typed(row: Row) -> Row:
    """A row as SQLite gives it, with true and false for its booleans."""
    return row | {name: None if row[name] is None else bool(row[name]) for name in _BOOLEANS}


def _write(selection: Selection, out: Sink, extras: Extras) -> None:
    del extras
    for row in selection:
        text = json.dumps(typed(row), ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        out.write(text.encode() + b"\n")


def _count(path: Path) -> int:
    with path.open(encoding="utf-8") as lines:
        return sum(1 for line in lines if json.loads(line)["clip_id"])


JSONL = Format("jsonl", "one JSON object a line and clip", ".jsonl", _write, _count, text=True)
