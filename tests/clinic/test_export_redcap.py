"""REDCap: the data dictionary keeps its published rules, the records fit it, nothing is lost."""

import csv
import io
import re
import zipfile
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings

from edge_fea.capture.clock import iso
from edge_fea.clinic.export.redcap import DICTIONARY_COLUMNS, MOST_INSTANCES, dictionary_rows
from edge_fea.store.clips import ClipRecorder
from edge_fea.store.rows import row_of
from tests.clinic.export_factory import (
    CLIPS,
    MIXED,
    any_rows,
    by_id,
    export,
    fresh,
    from_text,
    insert,
    record,
)
from tests.conftest import NOON
from tests.store.clip_factory import make_clip

FIELDS = {row["Variable / Field Name"]: row for row in dictionary_rows()}
RESERVED = ("redcap_event_name", "redcap_repeat_instrument", "redcap_repeat_instance")
# REDCap's own patterns of these validation types.
VALIDATIONS = {
    "integer": r"[-+]?\d+",
    "number": r"[-+]?[0-9]*\.?[0-9]+",
    "datetime_seconds_ymd": r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d",
}


def opened(path: Path, name: str) -> Iterator[dict[str, str]]:
    with zipfile.ZipFile(path) as files:
        yield from csv.DictReader(io.TextIOWrapper(files.open(name), "utf-8", newline=""))


def test_the_dictionary_has_redcaps_18_columns(tmp_path: Path) -> None:
    export("redcap", record(tmp_path / "clips.db", *MIXED), tmp_path / "out.zip")
    rows = list(opened(tmp_path / "out.zip", "data_dictionary.csv"))
    assert len(DICTIONARY_COLUMNS) == 18
    assert tuple(rows[0]) == DICTIONARY_COLUMNS
    assert rows == dictionary_rows()


def test_field_names_keep_redcaps_rules() -> None:
    assert len(FIELDS) == len(dictionary_rows())
    for name in FIELDS:
        assert re.fullmatch(r"[a-z][a-z0-9_]*", name)
        assert len(name) <= 26
        assert "__" not in name
        assert not name.endswith("_")
        assert not name.endswith("_complete")
        assert name not in RESERVED


def test_the_first_field_is_the_record_and_forms_are_not_mixed() -> None:
    forms = [row["Form Name"] for row in dictionary_rows()]
    assert next(iter(FIELDS)) == "record_id"
    assert FIELDS["record_id"]["Field Type"] == "text"
    assert forms == ["day"] + ["clip"] * (len(forms) - 1)


@pytest.mark.parametrize("name", FIELDS)
def test_every_field_is_one_that_redcap_accepts(name: str) -> None:
    field = FIELDS[name]
    assert field["Field Type"] in ("text", "dropdown", "yesno")
    assert field["Field Label"]
    validation = field["Text Validation Type OR Show Slider Number"]
    limits = (field["Text Validation Min"], field["Text Validation Max"])
    assert validation in ("", *VALIDATIONS)
    assert validation in ("integer", "number") or limits == ("", "")
    assert all(re.fullmatch(VALIDATIONS["number"], limit) for limit in limits if limit)
    choices = field["Choices, Calculations, OR Slider Labels"]
    assert bool(choices) == (field["Field Type"] == "dropdown")
    codes = [choice.split(", ")[0] for choice in choices.split(" | ") if choice]
    assert len(codes) == len(set(codes))
    assert all(re.fullmatch(r"[A-Za-z0-9_]+", code) for code in codes)
    # REDCap takes what looks like a tag out of labels and notes.
    assert "<" not in field["Field Label"] + field["Field Note"]
    assert field["Identifier?"] in ("", "y")


def test_every_column_of_the_data_dictionary_has_a_field() -> None:
    named = {column.name for column in CLIPS} | {"record_id", "start_local"}
    assert set(FIELDS) == named


def fits(name: str, cell: str) -> bool:
    """Whether REDCap would take a cell of a field."""
    field = FIELDS[name]
    if not cell:
        return True
    if field["Field Type"] == "yesno":
        return cell in ("0", "1")
    if field["Field Type"] == "dropdown":
        choices = field["Choices, Calculations, OR Slider Labels"]
        return cell in [choice.split(", ")[0] for choice in choices.split(" | ")]
    validation = field["Text Validation Type OR Show Slider Number"]
    if validation and not re.fullmatch(VALIDATIONS[validation], cell):
        return False
    low, high = field["Text Validation Min"], field["Text Validation Max"]
    return (not low or float(cell) >= float(low)) and (not high or float(cell) <= float(high))


@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(any_rows())
def test_records_fit_the_dictionary_and_lose_nothing(tmp_path: Path, rows: list[dict]) -> None:
    out = fresh(tmp_path)
    source = export("redcap", insert(fresh(tmp_path), *rows), out)
    records = list(opened(out, "records.csv"))
    assert list(records[0])[:3] == ["record_id", *RESERVED[1:]]
    assert set(records[0]) == {*FIELDS, *RESERVED[1:], "clip_complete"}
    for row in records:
        assert all(fits(name, row[name]) for name in FIELDS)
        assert (row["redcap_repeat_instrument"], row["clip_complete"]) == ("clip", "2")
        datetime.strptime(row["start_local"], "%Y-%m-%d %H:%M:%S")  # noqa: DTZ007
        assert re.fullmatch(rf"{re.escape(row['patient'])}-\d{{4}}-\d\d-\d\d", row["record_id"])
        assert 1 <= int(row["redcap_repeat_instance"]) <= MOST_INSTANCES
    read = [from_text(row) for row in records]
    assert by_id(read) == by_id(source)
    numbered = [(row["record_id"], row["redcap_repeat_instance"]) for row in records]
    assert len(numbered) == len(set(numbered))


def test_the_start_stands_in_local_time_too(tmp_path: Path) -> None:
    export("redcap", record(tmp_path / "clips.db", make_clip()), tmp_path / "out")
    (row,) = opened(tmp_path / "out", "records.csv")
    assert row["start_local"] == "2026-11-22 13:00:00"
    assert (row["start_utc"], row["utc_offset"]) == ("2026-11-22T12:00:00.123Z", "+01:00")


def numbers(path: Path) -> dict[str, tuple[str, int]]:
    """Record and instance of each clip."""
    rows = opened(path, "records.csv")
    return {row["clip_id"]: (row["record_id"], int(row["redcap_repeat_instance"])) for row in rows}


def test_a_clip_keeps_its_number_in_every_export(tmp_path: Path) -> None:
    database = record(tmp_path / "clips.db", *(make_clip(5 * place) for place in range(6)))
    export("redcap", database, tmp_path / "all")
    export(
        "redcap", database, tmp_path / "later", start=datetime.fromisoformat("2026-11-22T12:14Z")
    )
    whole, later = numbers(tmp_path / "all"), numbers(tmp_path / "later")
    assert (len(whole), len(later)) == (6, 3)
    assert later.items() <= whole.items()


def test_a_clip_keeps_its_number_when_older_ones_were_erased(tmp_path: Path) -> None:
    export("redcap", record(tmp_path / "a.db", make_clip(0), make_clip(5)), tmp_path / "a")
    export("redcap", record(tmp_path / "b.db", make_clip(5)), tmp_path / "b")
    assert numbers(tmp_path / "b").items() <= numbers(tmp_path / "a").items()


def test_a_day_of_a_patient_is_a_record_and_the_time_of_day_the_number(tmp_path: Path) -> None:
    """The day is the patient's own: in Berlin it begins an hour before that of UTC."""
    database = record(tmp_path / "clips.db", make_clip(0), make_clip(11 * 60), make_clip(12 * 60))
    export("redcap", database, tmp_path / "out")
    assert list(numbers(tmp_path / "out").values()) == [
        ("P07-2026-11-22", 13 * 1200 + 1),
        ("P07-2026-11-23", 1),
        ("P07-2026-11-23", 1200 + 1),
    ]


def test_clips_that_begin_at_the_same_time_keep_apart_in_the_order_of_recording(
    tmp_path: Path,
) -> None:
    """As after a clock that was set back."""
    database = record(tmp_path / "clips.db", make_clip(0), make_clip(0.02), make_clip(0.05))
    export("redcap", database, tmp_path / "out")
    found = numbers(tmp_path / "out")
    assert [found[make_clip(each).clip_id][1] for each in (0, 0.02, 0.05)] == [
        15601,
        15602,
        15603,
    ]


def test_a_clip_of_the_hour_that_clocks_repeat_keeps_its_number_without_the_one_before(
    tmp_path: Path,
) -> None:
    """Both begin at 02:10 by the clock on the wall; what is kept too long goes with the first."""
    twice = [
        row_of(make_clip()) | {"clip_id": name, "start_utc": start, "utc_offset": offset}
        for name, start, offset in (
            ("summer", "2026-10-25T00:10:00.000Z", "+02:00"),
            ("winter", "2026-10-25T01:10:00.000Z", "+01:00"),
        )
    ]
    export("redcap", insert(tmp_path / "both.db", *twice), tmp_path / "both")
    export("redcap", insert(tmp_path / "one.db", twice[1]), tmp_path / "one")
    assert numbers(tmp_path / "both") == {
        "summer": ("P07-2026-10-25", 2601),
        "winter": ("P07-2026-10-25", 3801),
    }
    assert numbers(tmp_path / "one") == {"winter": ("P07-2026-10-25", 3801)}


def test_the_last_clip_of_a_day_of_25_hours_has_a_number(tmp_path: Path) -> None:
    last = row_of(make_clip()) | {"start_utc": "2026-10-25T22:59:59.999Z"}
    export("redcap", insert(tmp_path / "clips.db", last), tmp_path / "out")
    (number,) = numbers(tmp_path / "out").values()
    assert number == ("P07-2026-10-25", 30_000)


def test_years_of_clips_have_numbers(tmp_path: Path) -> None:
    """The last clip of a day has the highest number, and each day a record of its own."""
    last = datetime.fromisoformat("2026-11-22T22:59:59.999Z")
    rows = [
        row_of(make_clip()) | {"clip_id": f"c{day}", "start_utc": iso(last + timedelta(days=day))}
        for day in range(0, 4000, 100)
    ]
    export("redcap", insert(tmp_path / "clips.db", *rows), tmp_path / "out")
    found = numbers(tmp_path / "out").values()
    assert len({record_id for record_id, _ in found}) == len(rows)
    assert {number for _, number in found} == {28_800}


def test_a_start_that_is_corrected_later_moves_no_number(tmp_path: Path) -> None:
    database = record(tmp_path / "clips.db", *(make_clip(5 * place) for place in range(4)))
    export("redcap", database, tmp_path / "before")
    with ClipRecorder(database, busy_timeout=1, now=NOON) as recorder:
        last = make_clip(15).clip_id
        recorder.opened.db.table("clips").update(
            last, {"corrected_start_utc": "2026-11-01T00:00:00.000Z"}
        )
    export("redcap", database, tmp_path / "after")
    assert numbers(tmp_path / "before") == numbers(tmp_path / "after")


def test_each_patient_has_records_of_their_own(tmp_path: Path) -> None:
    export("redcap", record(tmp_path / "clips.db", *MIXED), tmp_path / "out")
    records = {record_id for record_id, _ in numbers(tmp_path / "out").values()}
    assert records == {"P07-2026-11-22", "P-08-2026-11-22"}
