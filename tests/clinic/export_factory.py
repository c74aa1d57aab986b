"""What the tests of the exports share: databases, selections, and any row that there could be."""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from edge_fea.capture.clock import iso
from edge_fea.clinic.export import FORMATS, Extras, export_file
from edge_fea.clinic.selection import Selection
from edge_fea.store.clip_columns import Column
from edge_fea.store.clips import ClipFilter, ClipReader, ClipRecorder
from edge_fea.store.dictionary import TABLES
from edge_fea.store.rows import Row
from edge_fea.summary.record import ClipSummary
from tests.conftest import NOON
from tests.store.clip_factory import make_clip

CLIPS = TABLES["clips"]
NAMES = [column.name for column in CLIPS]
MIXED = (
    make_clip(0),
    make_clip(5, label="sad", patient="P-08"),
    make_clip(10, seen=10, missed=290, synchronized=False),
    make_clip(15, ended_by=None),
)
"""Two clips with scores, of two patients; one not seen enough; one running."""


def record(path: Path, *clips: ClipSummary, series: bool = False) -> Path:
    """A database of such clips."""
    with ClipRecorder(path, busy_timeout=1, now=NOON, keep_series=series) as recorder:
        for clip in clips:
            recorder.save(clip)
    return path


def insert(path: Path, *rows: Row) -> Path:
    """A database of such rows."""
    with ClipRecorder(path, busy_timeout=1, now=NOON) as recorder:
        recorder.opened.db.table("clips").insert_all(rows)
    return path


@contextmanager
def selected(path: Path, **conditions: Any) -> Iterator[Selection]:
    """The ended clips that meet the conditions."""
    with ClipReader(path, busy_timeout=1) as reader:
        yield Selection(reader, ClipFilter(**conditions))


def export(name: str, path: Path, out: Path, **conditions: Any) -> list[Row]:
    """Export a database to ``out``; the rows that should now be in there, by patient's start."""
    series = conditions.pop("series", False)
    with selected(path, **conditions) as selection:
        export_file(FORMATS[name], selection, out, Extras(series))
        return list(selection)


def by_id(rows: list[Row]) -> dict[str, Row]:
    """Rows by their clip, whatever their order."""
    return {row["clip_id"]: row for row in rows}


def from_text(text: dict[str, str], missing: str = "") -> Row:
    """A row of the data dictionary's types from one of text cells."""
    return {column.name: _typed(column, text[column.name], missing) for column in CLIPS}


def _typed(column: Column, cell: str, missing: str) -> Any:
    if cell == missing:
        return None
    kinds = {"text": str, "moment": str, "integer": int, "real": float, "boolean": int}
    return kinds[column.kind](cell)


_OFFSETS = ["+00:00", "+01:00", "-03:30", "+05:45"]
_ZONES = ["Europe/Berlin", "America/St_Johns", "Etc/UTC"]


@st.composite
def any_rows(draw: st.DrawFn) -> list[Row]:
    """A few ended clips with whatever values the data dictionary allows.

    A handful of values is drawn and dealt out to the columns in turn, each within its range: a
    value for every one of the hundred columns would be more than hypothesis can shrink.
    """
    reals = draw(st.lists(st.floats(0, 1) | st.floats(-1e9, 1e9), min_size=4, max_size=9))
    whole = draw(st.lists(st.integers(0, 2**31 - 1), min_size=3, max_size=7))
    # As the settings allow it: a leading minus, digits alone, and what readers take for missing.
    pseudonyms = st.from_regex(r"[A-Za-z0-9_.-]{0,39}[A-Za-z0-9]", fullmatch=True) | (
        st.sampled_from(["NA", "null", "nan", "007", "-1", "TRUE", "1e5", "2026-11-22"])
    )
    moments = st.integers(946_684_800_000, 4_102_444_799_999).map(
        lambda milliseconds: iso(datetime.fromtimestamp(milliseconds / 1000, UTC))
    )
    drawn = {
        "patient": draw(st.lists(pseudonyms, min_size=2, max_size=2)),
        "utc_offset": draw(st.permutations(_OFFSETS)),
        "corrected_utc_offset": _OFFSETS,
        "zone": _ZONES,
        "moment": draw(st.lists(moments, min_size=2, max_size=3)),
        "real": reals,
        "integer": whole,
        "boolean": [0, 1, 1],
    }
    nulls = draw(st.lists(st.booleans(), min_size=1, max_size=5))
    return [
        {
            column.name: _dealt(column, drawn, number + place, nulls)
            for place, column in enumerate(CLIPS)
        }
        | {"clip_id": str(draw(st.uuids())), "ended_by": "full"}
        for number in range(draw(st.integers(1, 3)))
    ]


def _dealt(column: Column, drawn: dict[str, list[Any]], turn: int, nulls: list[bool]) -> Any:
    if column.nullable and nulls[turn % len(nulls)]:
        return None
    if column.kind == "text" and column.levels:
        return column.levels[turn % len(column.levels)]
    values = drawn.get(column.name) or drawn.get(column.kind) or ["A-b_c.9"]
    value = values[turn % len(values)]
    if column.kind in ("integer", "real"):
        value = max(value, column.low) if column.low is not None else value
        value = min(value, column.high) if column.high is not None else value
        return int(value) if column.kind == "integer" else float(value)
    return value


def fresh(folder: Path) -> Path:
    """A name that is not taken yet: a property test runs many times in one folder."""
    return folder / uuid.uuid4().hex
