"""FHIR: R4's own definitions accept the bundle, its rules hold, and nothing is lost.

fhirkit carries the structure definitions of R4 (4.0.1); fhir.resources, whose oldest is R4B, reads
the bundle as a user of it would. Neither knows value sets or invariants: the ones that matter here
are spelt out below, and ``tests/system/test_fhir_value_sets.py`` checks the required value sets.
"""

import json
from datetime import datetime, timedelta
from pathlib import Path

import fhirkit
import pytest
from fhir.resources.R4B.bundle import Bundle
from hypothesis import HealthCheck, given, settings

from edge_fea.clinic.export.fhir import (
    COMPONENTS,
    NOTE,
    SYSTEM,
    _observation_line,
    code_system,
    observation,
)
from edge_fea.store.clip_columns import CLIPS, SCORES
from edge_fea.store.moments import happened
from edge_fea.store.rows import row_of
from tests.clinic.export_factory import MIXED, any_rows, by_id, export, fresh, insert, record
from tests.store.clip_factory import make_clip

KINDS = {column.name: column.kind for column in CLIPS}


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> dict:
    folder = tmp_path_factory.mktemp("fhir")
    export("fhir", record(folder / "clips.db", *MIXED), folder / "out.json")
    return json.loads((folder / "out.json").read_text())


def resources(bundle: dict, kind: str) -> list[dict]:
    found = (entry["resource"] for entry in bundle["entry"])
    return [resource for resource in found if resource["resourceType"] == kind]


def components(clip: dict) -> dict[str, dict]:
    return {each["code"]["coding"][0]["code"]: each for each in clip["component"]}


def back(clip: dict) -> dict:
    """The row that an Observation was made of."""
    row = {
        **{column.name: None for column in SCORES if "dataAbsentReason" in clip},
        "clip_id": clip["identifier"][0]["value"],
        "patient": clip["subject"]["identifier"]["value"],
    }
    for name, each in components(clip).items():
        (element,) = each.keys() - {"code"}
        value = each[element]
        if element == "dataAbsentReason":
            row[name] = None
        elif element == "valueQuantity":
            row[name] = value["value"]
        elif element == "valueCodeableConcept":
            row[name] = value["coding"][0]["code"]
        else:
            row[name] = int(value) if element == "valueBoolean" else value
    return row


@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(any_rows())
def test_any_clip_is_valid_r4_and_loses_nothing(tmp_path: Path, rows: list[dict]) -> None:
    out = fresh(tmp_path)
    source = by_id(export("fhir", insert(fresh(tmp_path), *rows), out))
    bundle = json.loads(out.read_text())
    assert fhirkit.validate(bundle) == []
    devices = {
        entry["fullUrl"]: entry["resource"]["identifier"][0]["value"]
        for entry in bundle["entry"]
        if entry["resource"]["resourceType"] == "Device"
    }
    read = [
        {**back(clip), "device_id": devices[clip["device"]["reference"]]}
        for clip in resources(bundle, "Observation")
    ]
    assert by_id(read) == source
    for clip in resources(bundle, "Observation"):
        row, period = source[clip["id"]], clip["effectivePeriod"]
        start, end = (datetime.fromisoformat(period[name]) for name in ("start", "end"))
        assert (start, start.utcoffset()) == (happened(row), happened(row).utcoffset())
        lasted = timedelta(seconds=row["duration_s"]) - (end - start)
        assert timedelta() <= lasted < timedelta(milliseconds=1)


def test_fhir_resources_reads_it(bundle: dict) -> None:
    read = Bundle.model_validate(bundle)
    kinds = [type(entry.resource).__name__ for entry in read.entry]
    assert kinds == ["CodeSystem", "Observation", "Observation", "Observation", "Device"]


def test_the_validator_would_find_a_fault(bundle: dict) -> None:
    """It is no rubber stamp."""
    clip = resources(bundle, "Observation")[0]
    for fault in (
        {"effectivePeriod": {"start": "2026-11-22T13:00:00"}},
        {"component": [{"code": {"text": "x"}, "valueQuantity": {"value": "0.5"}}]},
        {"interpretations": []},
        {"status": None},
    ):
        assert fhirkit.validate({**clip, **fault})


def test_a_clip_tells_whose_it_is_when_it_was_and_what_made_it(bundle: dict) -> None:
    clip = resources(bundle, "Observation")[0]
    assert clip["status"] == "final"
    assert clip["subject"]["identifier"]["value"] == "P07"
    assert "reference" not in clip["subject"]
    assert clip["effectivePeriod"] == {
        "start": "2026-11-22T13:00:00.123+01:00",
        "end": "2026-11-22T13:05:00.123+01:00",
    }
    assert clip["note"] == [{"text": NOTE}]
    assert "interpretation" not in clip
    device = bundle["entry"][-1]
    assert clip["device"]["reference"] == device["fullUrl"]
    assert device["resource"]["identifier"][0]["value"] == "efea-test"
    assert device["resource"]["version"] == [{"value": "0.1.0"}]


def test_no_patient_resource_and_no_running_clip(bundle: dict) -> None:
    assert resources(bundle, "Patient") == []
    assert len(resources(bundle, "Observation")) == 3


def test_a_reason_stands_only_where_a_value_is_absent(bundle: dict) -> None:
    for clip in resources(bundle, "Observation"):
        for each in clip["component"]:
            values = [name for name in each if name.startswith("value")]
            assert len(values) == (0 if "dataAbsentReason" in each else 1)


def test_a_clip_that_was_not_seen_enough_says_so_once_and_has_no_scores(bundle: dict) -> None:
    seen, unseen = (
        next(
            clip
            for clip in resources(bundle, "Observation")
            if components(clip)["sufficient"]["valueBoolean"] is wanted
        )
        for wanted in (True, False)
    )
    scores = {column.name for column in SCORES}
    assert unseen["dataAbsentReason"]["coding"][0]["code"] == "unknown"
    assert not scores & components(unseen).keys()
    assert "dataAbsentReason" not in seen
    assert scores <= components(seen).keys()
    assert len(json.dumps(unseen)) < 0.5 * len(json.dumps(seen))


def test_a_component_without_a_value_says_that_there_is_nothing_to_know(bundle: dict) -> None:
    for clip in resources(bundle, "Observation"):
        reasons = {
            name: components(clip)[name]["dataAbsentReason"]["coding"][0]["code"]
            for name in ("baseline_id", "boot_id", "corrected_start_utc")
        }
        assert set(reasons.values()) == {"not-applicable"}


def test_a_line_is_the_observation_whatever_its_values_are() -> None:
    for clip in (*MIXED, make_clip(5, patient='P"{7}\\')):
        row = row_of(clip) | {"baseline_id": None}
        row = {column.name: row.get(column.name) for column in CLIPS}
        line = json.loads(_observation_line(row))
        assert line["resource"] == observation(row)
        assert line["fullUrl"] == f"urn:uuid:{clip.clip_id}"


def test_units_are_ucums() -> None:
    clip = components(observation(row_of(make_clip())))
    units = {
        name: clip[name]["valueQuantity"]["code"]
        for name in ("mean_happy", "dwell_happy_s", "frame_rate", "frames_due", "variety_bits")
    }
    assert list(units.values()) == ["1", "s", "/s", "{frames}", "bit"]
    for each in clip.values():
        quantity = each.get("valueQuantity")
        assert quantity is None or quantity["system"] == "http://unitsofmeasure.org"


def test_every_code_is_in_the_code_system(bundle: dict) -> None:
    (system,) = resources(bundle, "CodeSystem")
    codes = [concept["code"] for concept in system["concept"]]
    assert len(codes) == len(set(codes))  # csd-1
    assert system["url"] == SYSTEM
    used = set()

    def walk(value: object) -> None:
        if isinstance(value, dict):
            if value.get("system") == SYSTEM:
                used.add(value["code"])
            for each in value.values():
                walk(each)
        elif isinstance(value, list):
            for each in value:
                walk(each)

    walk(resources(bundle, "Observation"))
    assert used <= set(codes)
    assert {column.name for column in COMPONENTS} <= set(codes)
    assert code_system() == system


def test_invariants_of_r4_that_the_libraries_do_not_check(bundle: dict) -> None:
    full_urls = [entry["fullUrl"] for entry in bundle["entry"]]
    assert len(full_urls) == len(set(full_urls))  # bdl-7
    assert not any("/_history/" in url for url in full_urls)  # bdl-8
    assert "total" not in bundle  # bdl-1
    for clip in resources(bundle, "Observation"):
        assert not any(name.startswith("value") for name in clip)  # obs-6, obs-7
        assert clip["code"]["coding"][0]["code"] not in components(clip)
        period = clip["effectivePeriod"]
        assert datetime.fromisoformat(period["start"]) <= datetime.fromisoformat(period["end"])
    for resource in (entry["resource"] for entry in bundle["entry"]):
        assert "contained" not in resource
    (system,) = resources(bundle, "CodeSystem")
    assert system["name"].isidentifier()  # csd-0
    assert system["name"][0].isupper()


def test_no_unit_and_no_kind_is_left_without_a_place() -> None:
    for column in COMPONENTS:
        assert KINDS[column.name] in ("text", "moment", "integer", "real", "boolean")
    row = row_of(make_clip()) | {column.name: 1 for column in COMPONENTS if column.kind == "real"}
    assert len(observation(row)["component"]) == len(COMPONENTS)
