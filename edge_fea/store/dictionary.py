"""The data dictionary: every column of every table, in one place.

The documentation page (``docs/dictionary.md``), the exports' schemas, the table ``data_dictionary``
in the database itself and the tests are made from it. A test fails when the database has a column
that is missing here, or the other way round.
"""

from typing import get_args

import sqlite_utils

from edge_fea.emotions import LABELS
from edge_fea.store.clip_columns import CLIPS, Column, Kind, score
from edge_fea.summary.baseline import BASELINE_INDICES

_STAYS = (
    Column("stay_id", "integer", "Number of the stay"),
    Column("patient", "text", "The patient's pseudonym"),
    Column("start_utc", "moment", "When the patient's stay at this device began"),
    Column("end_utc", "moment", "When it ended; null while it lasts", nullable=True),
)
_BASELINES = (
    Column("baseline_id", "integer", "Number of the baseline"),
    Column("patient", "text", "The patient's pseudonym"),
    Column("model_sha256", "text", "The network that its clips were read with"),
    Column("made_utc", "moment", "When it was computed; it holds for clips that start later"),
    Column("first_utc", "moment", "Start of its first clip"),
    Column("last_utc", "moment", "Start of its last clip"),
    Column("days", "integer", "Local days that its clips are from", "d", low=0),
    Column("clips", "integer", "Sufficient clips that it is made of", low=0),
    Column("frozen", "boolean", "Whether it holds until it is reset", levels=("0", "1")),
    *(
        column
        for name in BASELINE_INDICES
        for column in (
            score(f"median_{name}", f"Median of {name}", "over its clips"),
            score(f"mad_{name}", f"Spread of {name}", "median of |value - median|", low=0),
        )
    ),
)
_RESETS = (
    Column("reset_id", "integer", "Number of the reset"),
    Column("patient", "text", "The patient's pseudonym"),
    Column("at_utc", "moment", "Clips from before this moment are in no later baseline"),
)
_SECONDS = (
    Column("clip_id", "text", "The clip"),
    Column("second", "integer", "Whole seconds since the clip's start", "s", low=0),
    Column("frames", "integer", "Valid frames in this second", "frames", low=1),
    *(
        Column(
            f"p_{label}",
            "real",
            f"Probability of {label}",
            low=0,
            high=1,
            formula="mean over the second's valid frames",
        )
        for label in LABELS
    ),
)

_DICTIONARY = (
    Column("table_name", "text", "The table"),
    Column("column_name", "text", "Its column"),
    Column("type", "text", "Kind of the values", levels=get_args(Kind)),
    Column("nullable", "text", "Whether a value may be missing", levels=("yes", "no")),
    Column("unit", "text", "Unit of the values; empty for none"),
    Column("range", "text", "Allowed values; empty for any"),
    Column("meaning", "text", "What the column says"),
    Column("formula", "text", "How it is computed; empty where nothing is"),
)

TABLES: dict[str, tuple[Column, ...]] = {
    "clips": CLIPS,
    "stays": _STAYS,
    "baselines": _BASELINES,
    "baseline_resets": _RESETS,
    "seconds": _SECONDS,
    "data_dictionary": _DICTIONARY,
}
"""All tables that hold data."""

TABLE_MEANINGS: dict[str, str] = {
    "clips": "One row a clip: what was seen in five to ten minutes.",
    "stays": "Who was on the device when.",
    "baselines": "What was usual for a patient, and since when.",
    "baseline_resets": "When a patient's baseline was begun anew.",
    "seconds": "The second series, where `store.keep_series` is on.",
    "data_dictionary": "This page, within the database.",
}


def markdown() -> str:
    """The documentation page."""
    lines = [
        "# Data dictionary",
        "",
        "Every column of every table. `edge-fea dictionary` prints this page, or the same as CSV",
        "or JSON. Missing values are null in the database and empty cells in exports, never zero.",
    ]
    for table, columns in TABLES.items():
        lines += ["", f"## {table}", "", TABLE_MEANINGS[table], ""]
        lines += [
            "| column | type | unit | range | meaning | formula |",
            "|---|---|---|---|---|---|",
        ]
        for column in columns:
            kind = column.kind + (", may be null" if column.nullable else "")
            cells = [f"`{column.name}`", kind, column.unit, column.range, column.meaning]
            text = " | ".join(cell.replace("|", "\\|") for cell in [*cells, column.formula])
            lines.append(f"| {text} |")
    return "\n".join(lines) + "\n"


def records() -> list[dict[str, str]]:
    """One record a column, every value as text."""
    return [
        {
            "table": table,
            "column": column.name,
            "type": column.kind,
            "nullable": "yes" if column.nullable else "no",
            "unit": column.unit,
            "range": column.range,
            "meaning": column.meaning,
            "formula": column.formula,
        }
        for table, columns in TABLES.items()
        for column in columns
    ]


def keep_in(db: sqlite_utils.Database) -> None:
    """Bring the table ``data_dictionary`` up to date; writes nothing where it is so already."""
    renamed = {"table": "table_name", "column": "column_name"}
    rows = [{renamed.get(name, name): text for name, text in row.items()} for row in records()]
    table = db.table("data_dictionary")
    if list(table.rows_where(order_by="rowid")) != rows:
        with db.atomic():
            table.delete_where()
            table.insert_all(rows)
