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
    Column("patient", "text", "The patient's pseudonym; `unassigned` beyond the retention"),
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

_ERASURES = (
    Column("erasure_id", "integer", "Number of the erasure"),
    Column("at_utc", "moment", "When a patient was erased"),
    Column("stays", "integer", "Stays that were removed", low=0),
    Column("boot_id", "text", "The boot in which it was done", nullable=True),
    Column(
        "monotonic_s",
        "real",
        "When in that boot; clips that began earlier are not written any more",
        "s",
        low=0,
        nullable=True,
        formula="CLOCK_MONOTONIC",
    ),
    Column("salt", "text", "Random, for the hash", nullable=True),
    Column(
        "patient_hash",
        "text",
        "Who was erased; null once the recording has been started afresh",
        formula="SHA-256 of salt and pseudonym",
        nullable=True,
    ),
)

_AUDIT = (
    Column("seq", "integer", "Number of the row", low=1),
    Column("ends", "integer", "The row that said begun, of what this row ends", nullable=True),
    Column("at_utc", "moment", "When the row was written"),
    Column("who", "text", "user:LOGIN, ssh:FINGERPRINT of a key, stick:SERIAL/VOLUME, or service"),
    Column("action", "text", "What was asked for: export, report, pack, erase, retention, ..."),
    Column(
        "outcome",
        "text",
        "How it went; begun without a row that ends it: a power cut, something may have left; "
        "nothing_new: a pack of what is new was asked for, and everything was received before",
        levels=("begun", "done", "refused", "failed", "nothing_new"),
    ),
    Column(
        "patient_refs",
        "text",
        "Whom it is about, by keyed hashes; null for everybody",
        nullable=True,
        formula="HMAC-SHA-256 of the pseudonym, its first half",
    ),
    Column("from_utc", "moment", "Begin of the range; null for the first clip", nullable=True),
    Column("to_utc", "moment", "End of the range; null for the last clip", nullable=True),
    Column("format", "text", "Format of what left", nullable=True),
    Column("bytes", "integer", "Size of what left", "bytes", low=0, nullable=True),
    Column("sha256", "text", "Hash of what left", nullable=True),
    Column("note", "text", "Why it was refused or failed, or how many rows went"),
    Column("previous", "text", "Hash of the row before; zeros for the first"),
    Column(
        "chain",
        "text",
        "Hash of this row",
        formula="SHA-256 of all other columns, as sorted JSON; without after_place, to_place, "
        "readers and file where they are null",
    ),
    Column(
        "after_place",
        "integer",
        "Of a pack: the place in clip_order that it follows on from; 0 for the first clip",
        nullable=True,
    ),
    Column(
        "to_place",
        "integer",
        "Of a pack: the place up to which it lacks no clip that was recorded after after_place",
        nullable=True,
    ),
    Column(
        "readers",
        "text",
        "Of an encrypted pack: the keys of clinic.recipients that open it",
        nullable=True,
        formula="SHA-256 of each line age1..., its first quarter",
    ),
    Column(
        "file",
        "text",
        "Of a pack: its file's name, where edge-fea chose it",
        nullable=True,
    ),
)

_CLOCK_CHECKS = (
    Column("check_id", "integer", "Number of the check"),
    Column("boot_id", "text", "The boot in which somebody said that the clock was right"),
    Column("at_utc", "moment", "What the clock said, UTC"),
    Column(
        "monotonic_s", "real", "The same moment since boot", "s", low=0, formula="CLOCK_MONOTONIC"
    ),
)

_CLIP_ORDER = (
    Column("place", "integer", "Place in the order of recording, which no clock changes", low=1),
    Column("clip_id", "text", "The clip"),
)

_AUDIT_ANCHOR = (
    Column("anchor_id", "integer", "Always 1"),
    Column("seq", "integer", "Last row of the audit trail when the service looked", low=1),
    Column("chain", "text", "Hash of that row, which must be in the trail ever after"),
    Column("at_utc", "moment", "When that row was written"),
)

TABLES: dict[str, tuple[Column, ...]] = {
    "clips": CLIPS,
    "stays": _STAYS,
    "baselines": _BASELINES,
    "baseline_resets": _RESETS,
    "seconds": _SECONDS,
    "erasures": _ERASURES,
    "clock_checks": _CLOCK_CHECKS,
    "clip_order": _CLIP_ORDER,
    "audit_anchor": _AUDIT_ANCHOR,
    "data_dictionary": _DICTIONARY,
}
"""All tables of the database that hold data."""

TRAIL: dict[str, tuple[Column, ...]] = {"audit": _AUDIT}
"""The tables of the audit trail, which is a file of its own."""

TABLE_MEANINGS: dict[str, str] = {
    "clips": "One row a clip: what was seen in five to ten minutes.",
    "stays": "Who was on the device when.",
    "baselines": "What was usual for a patient, and since when.",
    "baseline_resets": "When a patient's baseline was begun anew.",
    "seconds": "The second series, where `store.keep_series` is on.",
    "erasures": "When a patient was erased; who it was is in no table.",
    "clock_checks": "When somebody said that the clock was right.",
    "clip_order": "In which order the clips were recorded.",
    "audit_anchor": "Up to which row the audit trail went, so that its removal shows.",
    "data_dictionary": "This page, within the database.",
    "audit": "What left the device, and what was refused; in a file of its own, `*-audit.db`.",
}


def markdown() -> str:
    """The documentation page."""
    lines = [
        "# Data dictionary",
        "",
        "Every column of every table. `edge-fea dictionary` prints this page, or the same as CSV",
        "or JSON. Missing values are null in the database and empty cells in exports, never zero.",
    ]
    for table, columns in (TABLES | TRAIL).items():
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
        for table, columns in (TABLES | TRAIL).items()
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
