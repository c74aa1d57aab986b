"""REDCap: the data dictionary that builds the form, and the records to import, in one archive.

A day of a patient is a record, a clip an instance of the repeating form ``clip``. Both follow from
when the clip began as it was recorded: every export gives it the same two, whatever else is in it.
Column names keep REDCap's rules as they are (lower case, digits and underscores, at most 26
characters). REDCap's date and time fields hold neither milliseconds nor an offset, so
``start_utc`` goes as text that loses nothing, and ``start_local`` beside it as a field that REDCap
can reckon with.
"""

from collections.abc import Iterator
from datetime import UTC, date, datetime, time
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfoNotFoundError

from edge_fea.capture.clock import local, zone_named
from edge_fea.clinic.export.archive import archive, member
from edge_fea.clinic.export.form import Extras, Format, Sink
from edge_fea.clinic.export.tidy import count_csv, write_csv
from edge_fea.clinic.selection import Selection
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

# A day of 25 hours has 30,000 such slots, fewer than REDCap has numbers; the rest is for clips that
# begin in the same one.
_SLOT_S = 3

_FIELDS = TABLES["clips"]
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

A record is a day of a patient (P017-2026-11-22), the field "patient" their pseudonym. A clip's
number (redcap_repeat_instance) tells how long after midnight it began, in steps of three seconds.
Both go by the device's clock as it was then, and stay what they are: import the same clips twice,
or with others, and nothing changes. Only a clip that began in the same step as an earlier one, as
after a clock that was set back, gets that one's number where that one was erased. Where the clock
was set only later, start_local has the right time and the record keeps the former day.

An empty cell is a missing value, never zero. The figures are an aid to observation, no diagnosis.
"""


def dictionary_rows() -> list[dict[str, str]]:
    """The data dictionary: one row a field, by ``DICTIONARY_COLUMNS``."""
    rows = [
        {
            "Variable / Field Name": "record_id",
            "Form Name": "day",
            "Field Type": "text",
            "Field Label": "The patient's pseudonym and the day on which clips were recorded",
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


def _write(selection: Selection, out: Sink, _extras: Extras) -> None:
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
                    for patient in selection.patients()
                    for record in _records(selection.of(patient))
                ),
            )


def _records(clips: Selection) -> Iterator[list[object]]:
    numbers = _numbers(clips)
    for row in clips:
        day, number = numbers[row["clip_id"]]
        start = f"{happened(row):%Y-%m-%d %H:%M:%S}"
        values = (_cell(row[column.name]) for column in _FIELDS)
        yield [f"{row['patient']}-{date.fromordinal(day)}", FORM, number, start, *values, _COMPLETE]


def _numbers(clips: Selection) -> dict[str, tuple[int, int]]:
    """Day (as an ordinal) and instance of each clip of one patient.

    By the start as it was recorded, which a correction leaves as it is, and by the time that had
    gone by since midnight: wall time would give the hour that clocks repeat the same numbers twice.
    Of clips that begin in the same slot all the same, the one that was recorded first has it, and a
    later one the next that is free; so all clips of the patient are gone through, and not only
    those that are wanted.
    """
    wanted = {clip_id for (clip_id,) in clips.reader.columns_of(["clip_id"], clips.wanted)}
    taken: set[tuple[int, int]] = set()
    numbers = {}
    for clip_id, start_utc, utc_offset, zone in clips.reader.recorded(str(clips.wanted.patient)):
        start = local(start_utc, utc_offset)
        day = start.toordinal()
        number = int((start - _midnight(start, zone)).total_seconds()) // _SLOT_S + 1
        while (day, number) in taken:
            number += 1
        taken.add((day, number))
        if clip_id in wanted:
            numbers[clip_id] = (day, number)
    return numbers


def _midnight(start: datetime, zone: str) -> datetime:
    """When the day of ``start`` began, which is in local time by its offset.

    By the offset alone where this machine's table of zones has not the same for that moment: it is
    an older one, or the zone has been changed since.
    """
    day = datetime.combine(start, time())
    try:
        named = zone_named(zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        named = None
    if named is None or start.astimezone(named).utcoffset() != start.utcoffset():
        return day.replace(tzinfo=start.tzinfo)
    # In UTC: between two moments of one zone Python reckons in wall time.
    return day.replace(tzinfo=named).astimezone(UTC)


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
)
