"""BIDS: a data set for behavioural research, in one archive.

Clips are the rows of ``_acq-clip_events.tsv``, the second series those of
``_acq-second_events.tsv``: what has an onset and a duration belongs into events files, says BIDS
(its validator warns of a ``_beh.tsv`` with them), and these lie in ``beh``. ``onset`` is in seconds
since the patient's first clip of the export, by the best that is known of when a clip began; what
is known of it stays beside it. What a column means stands once for all patients in a JSON sidecar
at the top, as the inheritance principle has it.
"""

import json
import re
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path

from edge_fea import __version__
from edge_fea.capture.clock import iso, parse_iso
from edge_fea.clinic.export.archive import Archive, archive, member, names_in
from edge_fea.clinic.export.form import Extras, Format, Sink, TextSink
from edge_fea.clinic.export.tidy import count_csv, write_csv
from edge_fea.clinic.selection import Selection
from edge_fea.errors import UnclearError
from edge_fea.store.clip_columns import Column
from edge_fea.store.dictionary import TABLES
from edge_fea.store.moments import HAPPENED
from edge_fea.store.rows import Row

_TASK = "observation"
_CLIPS, _SECONDS = "acq-clip_events", "acq-second_events"
_MISSING = "n/a"
_ABOUT_TASK = (
    "The patient is in the own room and has no task; a camera reads the facial expression. "
    "No picture is kept. An aid to observation, no diagnosis."
)
_TIMES = (
    Column("onset", "real", "Seconds from the patient's first clip in this data set", "s", low=0),
    Column("duration", "real", "How long the row stands for", "s", low=0),
)
CLIP_COLUMNS = (*_TIMES, *TABLES["clips"])
SECOND_COLUMNS = (*_TIMES, *TABLES["seconds"])
_README = f"""\
Clip summaries of facial expression, one row for each five to ten minutes, written by edge-fea
{__version__}. participants.tsv says which pseudonym a subject has.

sub-*/beh/*_acq-clip_events.tsv     one row a clip
sub-*/beh/*_acq-second_events.tsv   one row a second with a valid frame, where it was asked for
*_events.json                       what each column means, its unit and its levels
sub-*/*_scans.tsv                   when the first clip began (onset 0), UTC

n/a is a missing value, never zero: a clip in which the patient was not seen enough (sufficient
is 0) has no scores. The figures are an aid to observation, no diagnosis.
"""


def subjects(pseudonyms: Iterable[str]) -> dict[str, str]:
    """The BIDS label of each pseudonym: its letters and digits.

    Raises UnclearError where nothing is left of one, or where two would become the same (also to a
    file system that does not tell capital letters from small ones).
    """
    labels: dict[str, str] = {}
    taken: dict[str, str] = {}
    for pseudonym in pseudonyms:
        label = re.sub(r"[^A-Za-z0-9]", "", pseudonym)
        if not label:
            raise UnclearError(f"BIDS has no name for patient {pseudonym!r}: no letter or digit")
        other = taken.setdefault(label.lower(), pseudonym)
        if other != pseudonym:
            raise UnclearError(
                f"patients {other!r} and {pseudonym!r} would both be sub-{label} in BIDS: export "
                "them one at a time with --patient"
            )
        labels[pseudonym] = label
    return labels


def _write(selection: Selection, out: Sink, extras: Extras) -> None:
    labels = subjects(selection.patients())
    with archive(out) as files:
        files.add("README", _README)
        files.add("dataset_description.json", _json(_DESCRIPTION))
        files.add("participants.json", _json(_PARTICIPANTS))
        files.add(f"task-{_TASK}_{_CLIPS}.json", _json(_sidecar(CLIP_COLUMNS)))
        if extras.series:
            files.add(f"task-{_TASK}_{_SECONDS}.json", _json(_sidecar(SECOND_COLUMNS)))
        with files.open("participants.tsv") as text:
            write_csv(
                text,
                ("participant_id", "pseudonym"),
                ((f"sub-{label}", pseudonym) for pseudonym, label in labels.items()),
                "\t",
            )
        for pseudonym, label in labels.items():
            _write_subject(files, label, selection.of(pseudonym), extras)


def _write_subject(files: Archive, label: str, clips: Selection, extras: Extras) -> None:
    (earliest,) = next(clips.reader.columns_of([HAPPENED], clips.wanted))
    first = parse_iso(earliest)
    name = f"beh/sub-{label}_task-{_TASK}"
    written = [f"{name}_{_CLIPS}.tsv"]
    with files.open(f"sub-{label}/{written[0]}") as text:
        rows = (
            {"onset": _onset(row, first), "duration": row["duration_s"], **row} for row in clips
        )
        _write_tsv(text, CLIP_COLUMNS, rows)
    if extras.series:
        written.append(f"{name}_{_SECONDS}.tsv")
        with files.open(f"sub-{label}/{written[1]}") as text:
            rows = (
                {"onset": _onset(row, first) + row["second"], "duration": 1, **row}
                for row in clips.reader.seconds(clips.wanted)
            )
            _write_tsv(text, SECOND_COLUMNS, rows)
    with files.open(f"sub-{label}/sub-{label}_scans.tsv") as text:
        write_csv(text, ("filename", "acq_time"), ((file, iso(first)) for file in written), "\t")


def _onset(row: Row, first: datetime) -> Decimal:
    began = parse_iso(row["corrected_start_utc"] or row["start_utc"])
    return Decimal((began - first) // timedelta(milliseconds=1)) / 1000


def _write_tsv(out: TextSink, columns: Sequence[Column], rows: Iterable[Row]) -> None:
    names = [column.name for column in columns]
    filled = ([_MISSING if row[name] is None else row[name] for name in names] for row in rows)
    write_csv(out, names, filled, "\t")


def _sidecar(columns: Iterable[Column]) -> dict[str, object]:
    told: dict[str, object] = {"TaskName": _TASK, "TaskDescription": _ABOUT_TASK}
    for column in columns:
        formula = f" ({column.formula})" if column.formula else ""
        about: dict[str, object] = {"Description": column.meaning + formula}
        if column.kind == "boolean":
            about["Levels"] = {"0": "no", "1": "yes"}
        elif column.levels:
            about["Levels"] = {level: level.replace("_", " ") for level in column.levels}
        elif column.unit and column.kind != "text":
            about["Units"] = column.unit
        if column.kind == "moment":
            about["Format"] = "datetime"
        told[column.name] = about
    return told


_DESCRIPTION = {
    "Name": "Clip summaries of facial expression",
    "BIDSVersion": "1.11.1",
    "DatasetType": "raw",
    "GeneratedBy": [{"Name": "edge-fea", "Version": __version__}],
}
_PARTICIPANTS = {
    "participant_id": {"Description": "The subject: letters and digits of the pseudonym"},
    "pseudonym": {"Description": "The pseudonym on the device"},
}


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, indent=2) + "\n"


def _count(path: Path) -> int:
    header = [column.name for column in CLIP_COLUMNS]
    found = 0
    for name in names_in(path, f"_{_CLIPS}.tsv"):
        with member(path, name) as text:
            found += count_csv(text, header, "\t")
    return found


BIDS = Format(
    "bids",
    "a BIDS data set (_events.tsv with JSON sidecars), in a .zip",
    ".zip",
    _write,
    _count,
    series=True,
)
