"""The members of a pack: a report on each patient, the clips in two formats, the dictionary."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, time, timedelta
from typing import BinaryIO, Final

from edge_fea.capture.clock import system_zone, zone_named
from edge_fea.clinic.export import FORMATS
from edge_fea.clinic.export.form import PLAIN as PLAIN_EXPORT
from edge_fea.clinic.pack import PackMember
from edge_fea.clinic.report import render_html
from edge_fea.clinic.selection import Selection
from edge_fea.config import Settings
from edge_fea.store import dictionary
from edge_fea.store.clips import ClipFilter

_FORMATS = {"csv": "clips.csv", "fhir": "clips.fhir.json"}
"""The formats of the clips in a pack, and their files."""

REPORT_DAYS: Final = 90
"""Days that a report covers in a pack whose begin nobody chose: one on the few days since the last
pack could not show what has changed for good."""


@dataclass(frozen=True, slots=True)
class Report:
    """A report in a pack."""

    name: str
    since: datetime
    until: datetime
    selection: Selection


def members(
    selection: Selection, reports: list[Report], settings: Settings, made: datetime
) -> list[PackMember]:
    """The files of a pack: a report on each patient, the clips in two formats, the dictionary."""
    files = [PackMember(each.name, _written(each.selection, settings, made)) for each in reports]
    files += [PackMember(name, _export(form, selection)) for form, name in _FORMATS.items()]
    return [*files, PackMember("dictionary.md", _text(dictionary.markdown))]


def reports_in(
    selection: Selection, settings: Settings, made: datetime, end: datetime
) -> Iterator[Report]:
    """A report on each patient with clips in the pack, which goes up to ``end``.

    It begins where the pack does, if somebody said where: they get nothing from before. Otherwise
    it covers ``REPORT_DAYS`` whole days of the patient's time zone, up to the last clip that the
    pack's end allows.
    """
    zone = zone_named(settings.device.time_zone or system_zone())
    for patient, name in _report_names(selection.patients()):
        until = ClipFilter(end=selection.wanted.end, patient=patient)
        starts = selection.reader.starts(until)
        # A clock that had run ahead must not leave out what it ran ahead of.
        last = (made if starts is None else min(made, starts[1])).astimezone(zone).date()
        since = selection.wanted.start
        if since is None:
            since = datetime.combine(last - timedelta(days=REPORT_DAYS - 1), time(), zone)
        latest = end if starts is None else max(end, starts[1])
        yield Report(name, since, latest, Selection(selection.reader, replace(until, start=since)))


def _report_names(patients: list[str]) -> Iterator[tuple[str, str]]:
    """A name for each patient's report; pseudonyms that differ only in case get a number.

    So do those of a database that somebody edited by hand, if they would be no names of files.
    """
    taken: set[str] = set()
    for patient in patients:
        plain = re.sub(r"[^A-Za-z0-9._-]", "_", patient)[:64]
        name, number = f"report-{plain}.html", 1
        while name.casefold() in taken:
            number += 1
            name = f"report-{plain}-{number}.html"
        taken.add(name.casefold())
        yield patient, name


def _written(
    selection: Selection, settings: Settings, made: datetime
) -> Callable[[BinaryIO], None]:
    return _text(lambda: render_html(selection, settings, made=made))


def _text(make: Callable[[], str]) -> Callable[[BinaryIO], None]:
    def write(out: BinaryIO) -> None:
        out.write(make().encode())

    return write


def _export(form: str, selection: Selection) -> Callable[[BinaryIO], None]:
    def write(out: BinaryIO) -> None:
        FORMATS[form].write(selection, out, PLAIN_EXPORT)

    return write
