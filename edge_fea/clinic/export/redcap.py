"""REDCap: the data dictionary that builds the form, and the records to import, in one archive.

A patient is a record, a clip an instance of the repeating form ``clip``. Column names keep REDCap's
rules as they are (lower case, digits and underscores, at most 26 characters); only ``patient``
becomes ``record_id``. REDCap's date and time fields hold neither milliseconds nor an offset, so
``start_utc`` goes as text that loses nothing, and ``start_local`` beside it as a field that REDCap
can reckon with.
"""

from collections.abc import Iterator
from decimal import Decimal
from itertools import count
from pathlib import Path

from edge_fea.clinic.export.archive import archive, member
from edge_fea.clinic.export.form import Extras, Format, Sink
from edge_fea.clinic.export.tidy import count_csv, write_csv
from edge_fea.clinic.selection import Selection
from edge_fea.errors import UnclearError
from edge_fea.store.clip_columns import AGAINST_BASELINE, SCORES, Column
from edge_fea.store.dictionary import TABLES
from edge_fea.store.moments import happened

FORM = "clip"
DATA, DICTIONARY, README = "records.csv", "data_dictionary.csv", "README.txt"

DICTIONARY_COLUMNS = (
    "Variable / Field Name",
    "Form Name",
    "Section Header",
    "Field Type",
    "Field Label",
    "Choices, Calculations, OR Slider Labels",
    "Field Note",
    "Text Validation Type OR Show Slider Number",
    "Text Validation Min",
    "Text Validation Max",
    "Identifier?",
    "Branching Logic (Show field only if...)",
    "Required Field?",
    "Custom Alignment",
    "Question Number (surveys only)",
    "Matrix Group Name",
    "Matrix Ranking?",
    "Field Annotation",
)
"""The 18 columns of REDCap's data dictionary, in its order."""

MOST_INSTANCES = 32_767
"""REDCap keeps an instance's number in 16 bits."""

_FIELDS = tuple(column for column in TABLES["clips"] if column.name != "patient")
_SECTIONS = {
    _FIELDS[0].name: "What was recorded",
    SCORES[0].name: "Scores: empty where the patient was not seen enough",
    AGAINST_BASELINE[0].name: "Against the patient's own baseline: empty before there is one",
}
HEADER = (
    *("record_id", "redcap_repeat_instrument", "redcap_repeat_instance", "start_local"),
    *(column.name for column in _FIELDS),
    f"{FORM}_complete",
)
_COMPLETE = 2

_TEXT = """\
Clip summaries for REDCap

1. Make an empty project. Project Setup > Data Dictionary: upload data_dictionary.csv.
   It replaces the forms of the project; in a project that is in use, add its rows to the
   dictionary that you download there.
2. Project Setup > Repeating instruments: let the form "clip" repeat.
3. Data Import Tool: upload records.csv, with dates as Y-M-D.

Import the same clips twice and nothing changes: a clip's number (redcap_repeat_instance) is its
place among all the clips that the device has of the patient, as they were recorded. Where a
patient changed devices, or old clips were erased by store.retention_days, other clips get the same
numbers: look in the project for the patient's highest one and export with --first-instance.

An empty cell is a missing value, never zero. The figures are an aid to observation, no diagnosis.
"""


def dictionary_rows() -> list[dict[str, str]]:
    """The data dictionary: one row a field, by ``DICTIONARY_COLUMNS``."""
    rows = [
        {
            "Variable / Field Name": "record_id",
            "Form Name": "patient",
            "Field Type": "text",
            "Field Label": "The patient's pseudonym",
        },
        _dictionary_row(
            Column("start_local", "text", "Start of the clip on the patient's wall clock"),
            {
                "Field Note": "whole seconds; start_utc and utc_offset are exact",
                "Text Validation Type OR Show Slider Number": "datetime_seconds_ymd",
                "Identifier?": "y",
            },
        ),
        *(_dictionary_row(column) for column in _FIELDS),
    ]
    # A form's first field carries its first heading.
    rows[1]["Section Header"] = rows[2].pop("Section Header")
    return [{name: row.get(name, "") for name in DICTIONARY_COLUMNS} for row in rows]


def _dictionary_row(column: Column, more: dict[str, str] | None = None) -> dict[str, str]:
    kind, choices, validation = "text", "", ""
    if column.kind == "boolean":
        kind = "yesno"
    elif column.levels:
        kind = "dropdown"
        choices = " | ".join(f"{level}, {level.replace('_', ' ')}" for level in column.levels)
    elif column.kind in ("integer", "real"):
        validation = "integer" if column.kind == "integer" else "number"
    notes = [f"unit: {column.unit}" if column.unit else "", column.formula]
    return {
        "Variable / Field Name": column.name,
        "Form Name": FORM,
        "Section Header": _SECTIONS.get(column.name, ""),
        "Field Type": kind,
        "Field Label": column.meaning,
        "Choices, Calculations, OR Slider Labels": choices,
        "Field Note": "; ".join(note for note in notes if note),
        "Text Validation Type OR Show Slider Number": validation,
        "Text Validation Min": "" if not validation or column.low is None else f"{column.low:g}",
        "Text Validation Max": "" if not validation or column.high is None else f"{column.high:g}",
        # Dates count as identifying (HIPAA's list of 18).
        "Identifier?": "y" if column.kind == "moment" else "",
        "Field Annotation": "@READONLY",
    } | (more or {})


def _write(selection: Selection, out: Sink, extras: Extras) -> None:
    patients = selection.patients()
    for patient in patients:
        _numbers(selection.of(patient), extras.first_instance)
    with archive(out) as files:
        files.add(README, _TEXT)
        with files.open(DICTIONARY) as text:
            write_csv(text, DICTIONARY_COLUMNS, (row.values() for row in dictionary_rows()))
        with files.open(DATA) as text:
            write_csv(
                text,
                HEADER,
                (
                    record
                    for patient in patients
                    for record in _records(selection.of(patient), extras.first_instance)
                ),
            )


def _records(clips: Selection, first: int | None) -> Iterator[list[object]]:
    numbers = _numbers(clips, first)
    for row in clips:
        start = f"{happened(row):%Y-%m-%d %H:%M:%S}"
        values = (_cell(row[column.name]) for column in _FIELDS)
        yield [row["patient"], FORM, numbers[row["clip_id"]], start, *values, _COMPLETE]


def _numbers(clips: Selection, first: int | None) -> dict[str, int]:
    """The instance of each clip of one patient. Raises UnclearError where there are too many.

    In the order in which they were recorded: a start that is corrected later moves no other clip,
    and a later export goes on where this one ends.
    """
    patient = str(clips.wanted.patient)
    wanted = {clip_id for (clip_id,) in clips.reader.columns_of(["clip_id"], clips.wanted)}
    all_of_patient = clips.reader.recorded(patient)
    if first is None:
        numbers = {id_: place for place, id_ in enumerate(all_of_patient, 1) if id_ in wanted}
    else:
        numbers = dict(zip((i for i in all_of_patient if i in wanted), count(first), strict=False))
    last = max(numbers.values())
    if last > MOST_INSTANCES:
        raise UnclearError(
            f"REDCap numbers at most {MOST_INSTANCES} clips of a patient, and {patient}'s would go "
            f"to {last}: give a shorter period and --first-instance, or take csv or parquet"
        )
    return numbers


def _cell(value: object) -> object:
    # Without an exponent: not every REDCap reads one as a number. Decimal keeps the last bit.
    return f"{Decimal(repr(value)):f}" if isinstance(value, float) else value


def _count(path: Path) -> int:
    with member(path, DATA) as text:
        return count_csv(text, HEADER)


REDCAP = Format(
    "redcap",
    "records and the data dictionary that builds their form, in a .zip",
    ".zip",
    _write,
    _count,
    instances=True,
)
