"""HL7 FHIR R4 (4.0.1): a Bundle of one Observation a clip, a resource a line.

Where FHIR has a place for a column, it goes there: ``clip_id`` is the identifier, ``patient`` the
subject (a pseudonym, so a logical reference and no Patient resource), ``device_id`` the device. The
effective period is the best that is known of when the clip was, in local time with its offset.
Every other column is a component under its own name, in the code system that stands first in the
bundle; ends of intervals are components like the means they belong to, since R4 has no element for
the uncertainty of a value.

There is no category: none of R4's fits (``activity`` is physical activity, ``survey`` a
questionnaire, ``exam`` what a clinician finds), and it is optional. There is no interpretation.
"""

import json
import math
import uuid
from collections.abc import Callable, Iterator
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Any

from edge_fea import __version__
from edge_fea.clinic.export.form import Extras, Format, Sink
from edge_fea.clinic.selection import Selection
from edge_fea.store.clip_columns import SCORES, Column
from edge_fea.store.dictionary import TABLES
from edge_fea.store.moments import happened
from edge_fea.store.rows import Row

BASE = "https://edge-fea.example/fhir"
"""Names edge-fea's own codes and identifiers. It resolves nowhere: ``.example`` is reserved."""

SYSTEM = f"{BASE}/CodeSystem/clip"
NOTE = "An aid to observation for research and care teams. No diagnosis."

_UCUM = "http://unitsofmeasure.org"
_ABSENT = "http://terminology.hl7.org/CodeSystem/data-absent-reason"
_UNITS = {"": "1", "s": "s", "1/s": "/s", "1/min": "/min", "bit": "bit", "frames": "{frames}"}
"""UCUM's spelling of the dictionary's units."""

_ELSEWHERE = {"clip_id", "patient", "device_id"}
COMPONENTS = tuple(column for column in TABLES["clips"] if column.name not in _ELSEWHERE)
_SCORES = {column.name for column in SCORES}

_Json = dict[str, Any]

# Once for all scores: 80 components that each say that there is nothing took four fifths of the
# room of a clip in which nobody was seen.
_NOT_SEEN: _Json = {
    "coding": [{"system": _ABSENT, "code": "unknown"}],
    "text": "The patient was not seen enough in this clip to have scores",
}
# Of one component: no baseline to compare with, no clock to correct, too few seconds.
_NOTHING: _Json = {"coding": [{"system": _ABSENT, "code": "not-applicable"}]}

_encoded = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode


def _write(selection: Selection, out: Sink, extras: Extras) -> None:
    del extras
    out.write(b'{"resourceType":"Bundle","type":"collection","entry":[\n')
    out.write(_line(_entry(code_system())))
    versions: dict[str, set[str]] = {}
    for row in selection:
        versions.setdefault(row["device_id"], set()).add(row["app_version"])
        out.write(b",\n" + _observation_line(row))
    for device_id, found in sorted(versions.items()):
        out.write(b",\n" + _line(_entry(_device(device_id, sorted(found)))))
    out.write(b"\n]}\n")


def observation(row: Row) -> _Json:
    """The Observation of a clip."""
    return _frame(row) | {
        "component": [
            _component(column, row)
            for column in COMPONENTS
            if row[column.name] is not None or row["sufficient"] or column.name not in _SCORES
        ]
    }


def _frame(row: Row) -> _Json:
    """The Observation without its components."""
    start = happened(row)
    end = start + timedelta(seconds=row["duration_s"])
    return {
        "resourceType": "Observation",
        "id": row["clip_id"],
        "identifier": [{"system": f"{BASE}/clip-id", "value": row["clip_id"]}],
        "status": "final",
        "code": _concept("clip"),
        "subject": {
            "type": "Patient",
            "identifier": {"system": f"{BASE}/pseudonym", "value": row["patient"]},
        },
        "effectivePeriod": {
            "start": start.isoformat(timespec="milliseconds"),
            "end": end.isoformat(timespec="milliseconds"),
        },
        "device": {"reference": _device_url(row["device_id"])},
        "note": [{"text": NOTE}],
        **({} if row["sufficient"] else {"dataAbsentReason": _NOT_SEEN}),
    }


@cache
def _concept(code: str) -> _Json:
    return {"coding": [{"system": SYSTEM, "code": code}]}


def _component(column: Column, row: Row) -> _Json:
    value = row[column.name]
    coded = {"code": _concept(column.name)}
    if value is None:
        return coded | {"dataAbsentReason": _NOTHING}
    element, of = _VALUES[_element(column)]
    return coded | {element: of(column, value)}


def _element(column: Column) -> str:
    if column.kind == "text":
        return "concept" if column.levels else "text"
    if column.kind == "integer":
        return "quantity" if column.unit else "integer"
    return "quantity" if column.kind == "real" else column.kind


def _quantity(column: Column, value: float) -> _Json:
    return {"value": value, "system": _UCUM, "code": _UNITS[column.unit]}


_VALUES: dict[str, tuple[str, Callable[[Column, Any], Any]]] = {
    "boolean": ("valueBoolean", lambda _, value: bool(value)),
    "concept": ("valueCodeableConcept", lambda _, value: _concept(value)),
    "integer": ("valueInteger", lambda _, value: value),
    "moment": ("valueDateTime", lambda _, value: value),
    "quantity": ("valueQuantity", _quantity),
    "text": ("valueString", lambda _, value: value),
}


def code_system() -> _Json:
    """Every code of the bundle: ``clip``, the columns of the data dictionary, and their levels."""
    levels = {
        level: column for column in COMPONENTS if column.kind == "text" for level in column.levels
    }
    return {
        "resourceType": "CodeSystem",
        "id": "clip",
        "url": SYSTEM,
        "version": __version__,
        "name": "EdgeFeaClip",
        "title": "edge-fea clip summaries",
        "status": "active",
        "experimental": False,
        "description": "The data dictionary of edge-fea's clip summaries. " + NOTE,
        "caseSensitive": True,
        "content": "complete",
        "concept": [
            {
                "code": "clip",
                "display": "Clip summary",
                "definition": "What a camera read of a patient's expression in 5 to 10 minutes",
            },
            *(
                {"code": column.name, "display": column.name, "definition": _definition(column)}
                for column in COMPONENTS
            ),
            *(
                {"code": level, "display": level, "definition": f"A level of {column.name}"}
                for level, column in levels.items()
            ),
        ],
    }


def _definition(column: Column) -> str:
    parts = [column.meaning, column.formula, f"unit {column.unit}" if column.unit else ""]
    return "; ".join(part for part in [*parts, column.range] if part)


def _device(device_id: str, versions: list[str]) -> _Json:
    return {
        "resourceType": "Device",
        "id": _device_uuid(device_id),
        "identifier": [{"system": f"{BASE}/device-id", "value": device_id}],
        "deviceName": [{"name": "edge-fea", "type": "model-name"}],
        "version": [{"value": version} for version in versions],
        "note": [{"text": NOTE}],
    }


@cache
def _device_uuid(device_id: str) -> str:
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"{BASE}/device-id/{device_id}"))


def _device_url(device_id: str) -> str:
    return f"urn:uuid:{_device_uuid(device_id)}"


def _entry(resource: _Json) -> _Json:
    code_system = resource["resourceType"] == "CodeSystem"
    return {
        "fullUrl": SYSTEM if code_system else f"urn:uuid:{resource['id']}",
        "resource": resource,
    }


def _line(entry: _Json) -> bytes:
    return _encoded(entry).encode()


def _observation_line(row: Row) -> bytes:
    """The line of an Observation: its components from texts in which only the value is put in.

    Several times as fast as to make each from objects: a year has 14 million of them.
    """
    parts: list[str] = []
    for name, before, after, absent, kind in _templates(bool(row["sufficient"])):
        value = row[name]
        if value is None:
            if absent:
                parts.append(absent)
        elif kind == "boolean":
            parts.append(before + ("true" if value else "false") + after)
        elif kind == "integer" or (kind == "real" and math.isfinite(value)):
            # As JSON has them too.
            parts.append(f"{before}{value!r}{after}")
        else:
            parts.append(before + _encoded(value) + after)
    frame = _encoded(_entry(_frame(row)))
    # Into the resource, at its end: before the last brace but one.
    return f'{frame[:-2]},"component":[{",".join(parts)}]}}}}'.encode()


_PLACE = "\N{OBJECT REPLACEMENT CHARACTER}"


@cache
def _templates(seen: bool) -> tuple[tuple[str, str, str, str, str], ...]:
    """For each component what stands before and after its value, or for none, and its kind."""
    found = []
    for column in COMPONENTS:
        whole = _encoded(_component(column, {column.name: _PLACE}))
        before, after = whole.split("true" if column.kind == "boolean" else f'"{_PLACE}"')
        left_out = not seen and column.name in _SCORES
        absent = "" if left_out else _encoded(_component(column, {column.name: None}))
        found.append((column.name, before, after, absent, column.kind))
    return tuple(found)


def _count(path: Path) -> int:
    return sum(resource["resourceType"] == "Observation" for resource in _resources(path))


def _resources(path: Path) -> Iterator[_Json]:
    """One resource at a time: a bundle of a year is larger than a Pi's memory."""
    with path.open(encoding="utf-8") as lines:
        head = next(lines, "")
        ending = ""
        for line in lines:
            if line.startswith("{"):
                yield json.loads(line.removesuffix("\n").removesuffix(","))["resource"]
            else:
                ending = line
        if json.loads(head + ending)["resourceType"] != "Bundle":
            raise ValueError("no Bundle around its resources")


FHIR = Format("fhir", "an HL7 FHIR R4 Bundle of Observations", ".json", _write, _count, text=True)
