"""The service remembers how far the audit trail goes: as it starts, and once a day."""

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge_fea.device.anchoring import DailyAnchor
from edge_fea.store.anchor import Anchor, anchor_of
from edge_fea.store.audit import AuditEntry, AuditTrail
from edge_fea.store.clips import ClipRecorder
from tests.conftest import NOON, FakeClock
from tests.store.audit_factory import tamper


@pytest.fixture
def recorder(tmp_path: Path) -> Iterator[ClipRecorder]:
    with ClipRecorder(tmp_path / "a.db", busy_timeout=1, now=NOON) as opened:
        yield opened


@pytest.fixture
def trail(tmp_path: Path) -> AuditTrail:
    return AuditTrail(tmp_path / "audit.db", busy_timeout=1)


def put(trail: AuditTrail, who: str = "user:anna") -> Anchor:
    row = trail.append(AuditEntry(who, "export"), NOON)
    return Anchor(int(row["seq"]), str(row["chain"]), str(row["at_utc"]))


def test_before_there_is_a_trail_there_is_nothing_to_remember(
    recorder: ClipRecorder, trail: AuditTrail, clock: FakeClock
) -> None:
    DailyAnchor(recorder, trail, clock).move()
    assert anchor_of(recorder.opened.db) is None


def test_the_last_row_is_remembered_once_a_day(
    recorder: ClipRecorder, trail: AuditTrail, clock: FakeClock
) -> None:
    first, daily = put(trail), DailyAnchor(recorder, trail, clock)
    daily.move()
    second = put(trail)
    clock.time += 86_000
    daily.move()
    assert anchor_of(recorder.opened.db) == first
    clock.time += 400
    daily.move()
    assert anchor_of(recorder.opened.db) == second


def test_a_trail_without_the_remembered_row_is_told_and_the_row_stays_remembered(
    recorder: ClipRecorder, trail: AuditTrail, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    first = put(trail)
    DailyAnchor(recorder, trail, clock).move()
    trail.path.unlink()
    put(trail, "user:mallory")
    with caplog.at_level(logging.WARNING):
        DailyAnchor(recorder, trail, clock).move()
    assert "row 1 was recorded on 2026-11-22T12:00:00.000Z, and is not in it" in caplog.text
    assert anchor_of(recorder.opened.db) == first


def test_a_trail_without_any_row_is_told_and_ends_no_recording(
    recorder: ClipRecorder, trail: AuditTrail, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    put(trail)
    tamper(trail, "DELETE FROM audit", "DELETE FROM sqlite_sequence")
    DailyAnchor(recorder, trail, clock).move()
    assert "has no rows: they were removed" in caplog.text
    assert anchor_of(recorder.opened.db) is None


def test_a_trail_that_cannot_be_read_is_looked_at_again_with_the_next_clip(
    recorder: ClipRecorder, trail: AuditTrail, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    first, daily = put(trail), DailyAnchor(recorder, trail, clock)
    content = trail.path.read_bytes()
    trail.path.write_bytes(b"garbage " * 500)
    daily.move()
    assert "is not remembered yet" in caplog.text
    trail.path.write_bytes(content)
    daily.move()
    assert anchor_of(recorder.opened.db) == first
