"""Writes an export: all of one moment, whole or not at all, and read back."""

import csv
import sqlite3
import zipfile
from dataclasses import dataclass
from pathlib import Path

from edge_fea.clinic.export.form import PLAIN, Extras, Format, Sink
from edge_fea.clinic.outlet import HashingWriter, write_whole
from edge_fea.clinic.selection import Selection
from edge_fea.errors import NotFoundError, OutputDamaged
from edge_fea.store.clip_filter import ClipFilter

# What readers raise for a file that is not what it should be.
_DAMAGE = (ValueError, KeyError, csv.Error, sqlite3.Error, zipfile.BadZipFile)


@dataclass(frozen=True, slots=True)
class Exported:
    """What has left."""

    clips: int
    patients: tuple[str, ...]
    """Pseudonyms."""

    size: int
    """Bytes."""

    sha256: str


def export_file(form: Format, selection: Selection, path: Path, extras: Extras = PLAIN) -> Exported:
    """Write the selection to ``path`` in a format, and read it back with the format's own reader.

    Raises NotFoundError where there is nothing to export, OutputExists, OutputUnwritable,
    OutputFull, OutputDamaged, ExtraMissing, UnclearError where the format cannot hold the
    selection, or a StoreError.
    """
    with selection.reader.one_moment():
        clips = _refuse_nothing(selection, extras)
        written = write_whole(
            path,
            lambda out: form.write(selection, out, extras),
            lambda partial: _read_back(form, partial, path, clips),
        )
        return Exported(clips, tuple(selection.patients()), written.size, written.sha256)


def export_stream(
    form: Format, selection: Selection, out: Sink, extras: Extras = PLAIN
) -> Exported:
    """Write the selection to a stream, such as standard output. It cannot be read back.

    Raises NotFoundError where there is nothing to export, ExtraMissing, UnclearError, a
    StoreError, or OSError where the stream breaks.
    """
    with selection.reader.one_moment():
        clips = _refuse_nothing(selection, extras)
        hashed = HashingWriter(out)
        form.write(selection, hashed, extras)
        hashed.flush()
        return Exported(clips, tuple(selection.patients()), hashed.size, hashed.sha256)


def _refuse_nothing(selection: Selection, extras: Extras) -> int:
    clips = selection.count()
    if not clips:
        raise NotFoundError(
            f"no clips{_asked(selection.wanted)} to export: there are none, or none has ended yet. "
            "`edge-fea clips` lists what there is"
        )
    if extras.series and next(selection.reader.seconds(selection.wanted), None) is None:
        raise NotFoundError(
            "no second series to export: it is kept from when store.keep_series is on, and for "
            "store.series_days. Leave out --series"
        )
    return clips


def _asked(wanted: ClipFilter) -> str:
    # No moments: what was typed were days of the patient's time zone.
    period = wanted.start is not None or wanted.end is not None
    whose = "" if wanted.patient is None else f" of patient {wanted.patient}"
    return whose + (" in the period that was asked for" if period else "")


def _read_back(form: Format, partial: Path, path: Path, clips: int) -> None:
    try:
        found = form.count(partial)
    except _DAMAGE as error:
        raise OutputDamaged(f"{path} cannot be read back as {form.name}: {error}") from error
    if found != clips:
        raise OutputDamaged(f"{path}: {found} clips were read back, {clips} were to be written")
