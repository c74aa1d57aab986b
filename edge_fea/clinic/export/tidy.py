"""Tidy tables as CSV: one row a clip, alone or in an archive with the dictionary.

Text cells are written as they are, without the quote mark that some put before a leading ``-``
or ``+`` so that a spreadsheet takes no formula for one: it would be one more character in
everybody else's data. What text there is is pseudonyms, names of devices and zones, versions,
times and hashes, and in none of them can there be the bracket, bar or exclamation mark without
which a formula calls and fetches nothing. ``docs/exports.md`` tells how to open the file.
"""

import csv
from collections.abc import Iterable, Sequence
from pathlib import Path

from edge_fea.clinic.export.archive import archive, member
from edge_fea.clinic.export.form import Extras, Format, Sink, TextSink
from edge_fea.clinic.selection import Selection
from edge_fea.store.dictionary import TABLES, records

CLIP_NAMES = tuple(column.name for column in TABLES["clips"])
SECOND_NAMES = tuple(column.name for column in TABLES["seconds"])


class _Encoded:
    """Text to bytes, for a sink that is no file."""

    def __init__(self, out: Sink) -> None:
        self._out = out

    def write(self, text: str, /) -> int:
        return self._out.write(text.encode())


def write_csv(
    out: TextSink, header: Sequence[str], rows: Iterable[Iterable[object]], mark: str = ","
) -> None:
    """Write a header and rows: None as an empty cell, floats to their last bit."""
    writer = csv.writer(out, delimiter=mark, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)


def count_csv(text: Iterable[str], header: Sequence[str], mark: str = ",") -> int:
    """The number of rows below ``header``. Raises ValueError or csv.Error for a torn table."""
    rows = csv.reader(text, delimiter=mark, strict=True)
    if next(rows, None) != list(header):
        raise ValueError("its columns are not those that were written")
    number = 0
    for number, row in enumerate(rows, 1):
        if len(row) != len(header):
            raise ValueError(f"row {number} has {len(row)} cells instead of {len(header)}")
    return number


def _write(selection: Selection, out: Sink, extras: Extras) -> None:
    del extras
    _clips(selection, _Encoded(out))


def _clips(selection: Selection, out: TextSink) -> None:
    write_csv(out, CLIP_NAMES, selection.reader.columns_of(CLIP_NAMES, selection.wanted))


def _count(path: Path) -> int:
    with path.open(encoding="utf-8", newline="") as text:
        return count_csv(text, CLIP_NAMES)


def _write_archive(selection: Selection, out: Sink, extras: Extras) -> None:
    tables = ["clips", "seconds"] if extras.series else ["clips"]
    with archive(out) as files:
        with files.open("dictionary.csv") as text:
            listed = [record for record in records() if record["table"] in tables]
            write_csv(text, list(listed[0]), (record.values() for record in listed))
        with files.open("clips.csv") as text:
            _clips(selection, text)
        if extras.series:
            with files.open("seconds.csv") as text:
                rows = selection.reader.seconds(selection.wanted)
                write_csv(
                    text, SECOND_NAMES, ([row[name] for name in SECOND_NAMES] for row in rows)
                )


def _count_archive(path: Path) -> int:
    with member(path, "clips.csv") as text:
        return count_csv(text, CLIP_NAMES)


CSV = Format("csv", "a table, one row a clip", ".csv", _write, _count, text=True)
CSV_ZIP = Format(
    "csv-zip",
    "the same table with the dictionary of its columns, in a .zip",
    ".zip",
    _write_archive,
    _count_archive,
    series=True,
)
