"""Clip ids: they sort by start, and are the same for the same recording."""

import uuid
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from edge_fea.capture.clock import iso, parse_iso
from edge_fea.summary.record import clip_id

MOMENTS = st.datetimes(
    datetime(1990, 1, 1),  # noqa: DTZ001
    datetime(2200, 1, 1),  # noqa: DTZ001
    timezones=st.just(UTC),
)


@given(MOMENTS, st.binary())
def test_the_same_seed_and_start_give_the_same_id(start: datetime, seed: bytes) -> None:
    assert clip_id(start, seed) == clip_id(start, seed)


@given(MOMENTS, st.binary(), st.binary())
def test_another_seed_gives_another_id(start: datetime, one: bytes, other: bytes) -> None:
    assert (clip_id(start, one) == clip_id(start, other)) == (one == other)


@given(MOMENTS)
def test_without_a_seed_every_id_is_new(start: datetime) -> None:
    assert clip_id(start) != clip_id(start)


@given(MOMENTS, st.timedeltas(timedelta(milliseconds=1), timedelta(days=9999)), st.binary())
def test_ids_sort_by_start(start: datetime, later: timedelta, seed: bytes) -> None:
    assert clip_id(start, seed) < clip_id(start + later, seed)


@given(MOMENTS, st.none() | st.binary())
def test_an_id_is_a_uuid_of_version_7(start: datetime, seed: bytes | None) -> None:
    made = uuid.UUID(clip_id(start, seed))
    assert (made.version, made.variant) == (7, uuid.RFC_4122)


@given(MOMENTS, st.binary())
def test_an_id_holds_the_same_millisecond_as_the_stored_start(start: datetime, seed: bytes) -> None:
    held = uuid.UUID(clip_id(start, seed)).int >> 80
    stored = parse_iso(iso(start)) - datetime(1970, 1, 1, tzinfo=UTC)
    assert held == stored // timedelta(milliseconds=1)
