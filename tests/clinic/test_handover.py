"""Nothing leaves without its rows: one before, one after."""

import subprocess
import sys
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest

from edge_fea.clinic.handover import on_record, received_to
from edge_fea.errors import NotAllowed, OutputFull, StoreBusy, StoreUnwritable
from edge_fea.store.audit import AuditEntry, AuditTrail
from edge_fea.store.rows import Row
from tests.conftest import NOON, FakeClock

ENTRY = AuditEntry("user:anna", "export", patient="P07", start=NOON, format="csv")
KILLED = """
import os, sys
from pathlib import Path
from edge_fea.clinic.handover import on_record
from edge_fea.store.audit import AuditEntry, AuditTrail
from tests.conftest import FakeClock
trail = AuditTrail(Path(sys.argv[1]), busy_timeout=1)
with on_record(trail, AuditEntry("user:anna", "export"), FakeClock()):
    os._exit(9)
"""


@pytest.fixture
def trail(tmp_path: Path) -> AuditTrail:
    return AuditTrail(tmp_path / "audit.db", busy_timeout=1)


def told(trail: AuditTrail) -> list[tuple[str, int | None, str]]:
    return [(row["outcome"], row["ends"], row["note"]) for row in trail.rows()]


def test_what_left_is_told_by_two_rows(trail: AuditTrail, clock: FakeClock) -> None:
    with on_record(trail, ENTRY, clock) as receipt:
        receipt.size, receipt.sha256, receipt.note = 12, "ab" * 32, "fine"
    begun, done = trail.rows()
    assert told(trail) == [("begun", None, ""), ("done", 1, "fine")]
    assert (begun["bytes"], done["bytes"], done["sha256"]) == (None, 12, "ab" * 32)
    for row in (begun, done):
        assert (row["who"], row["action"], row["format"]) == ("user:anna", "export", "csv")
        assert row["from_utc"] == "2026-11-22T12:00:00.000Z"
        assert row["patient_refs"] is not None


def test_a_receipt_knows_the_row_that_was_written_before(
    trail: AuditTrail, clock: FakeClock
) -> None:
    with on_record(trail, ENTRY, clock) as receipt:
        assert receipt.head == trail.rows()[-1]["chain"]
        assert receipt.seq == 1


def test_two_at_a_time_are_told_apart(trail: AuditTrail, clock: FakeClock) -> None:
    with on_record(trail, ENTRY, clock), on_record(trail, ENTRY, clock):
        pass
    assert [row["ends"] for row in trail.rows()] == [None, None, 2, 1]


@pytest.mark.parametrize(
    ("error", "outcome", "note"),
    [
        (NotAllowed("P07 must not leave"), "refused", "NotAllowed"),
        (OutputFull("/media/P07 is full"), "failed", "OutputFull"),
        (BrokenPipeError("P07"), "failed", "BrokenPipeError"),
        (ValueError("a bug with P07"), "failed", "ValueError"),
        (KeyboardInterrupt(), "failed", "interrupted"),
        (SystemExit(1), "failed", "interrupted"),
    ],
)
def test_what_did_not_leave_is_told_without_a_word_of_the_message(
    trail: AuditTrail, clock: FakeClock, error: BaseException, outcome: str, note: str
) -> None:
    with pytest.raises(type(error)) as raised, on_record(trail, ENTRY, clock):
        raise error
    assert raised.value is error
    assert told(trail)[1:] == [(outcome, 1, note)]
    assert b"P07" not in trail.path.read_bytes()


def test_what_had_left_of_a_stream_that_broke_is_told(trail: AuditTrail, clock: FakeClock) -> None:
    def stream() -> None:
        with on_record(trail, ENTRY, clock) as receipt:
            receipt.size = 4096
            raise BrokenPipeError

    with pytest.raises(BrokenPipeError):
        stream()
    assert (trail.rows()[-1]["outcome"], trail.rows()[-1]["bytes"]) == ("failed", 4096)


def test_without_the_first_row_nothing_leaves(tmp_path: Path, clock: FakeClock) -> None:
    trail = AuditTrail(tmp_path / "no" / "such" / "folder" / "a.db", busy_timeout=1)
    with pytest.raises(StoreUnwritable), on_record(trail, ENTRY, clock):
        pytest.fail("it left without a row")


class Full(AuditTrail):
    """A trail that takes one row."""

    rows_left = 1

    def append(self, entry: AuditEntry, now: datetime) -> Row:
        if not self.rows_left:
            raise StoreBusy("held by another process")
        self.rows_left -= 1
        return super().append(entry, now)


def test_where_the_last_row_cannot_be_written_it_is_an_error(
    tmp_path: Path, clock: FakeClock
) -> None:
    trail = Full(tmp_path / "a.db", busy_timeout=1)
    with pytest.raises(StoreBusy), on_record(trail, ENTRY, clock):
        pass
    assert told(trail) == [("begun", None, "")]


def test_the_first_error_is_the_one_that_is_raised(tmp_path: Path, clock: FakeClock) -> None:
    trail = Full(tmp_path / "a.db", busy_timeout=1)
    with pytest.raises(OutputFull) as raised, on_record(trail, ENTRY, clock):
        raise OutputFull("no space left")
    assert "held by another process" in raised.value.__notes__[0]


def test_a_process_that_is_killed_leaves_a_row_that_nothing_ends(trail: AuditTrail) -> None:
    root = Path(__file__).parents[2]
    subprocess.run([sys.executable, "-c", KILLED, str(trail.path)], cwd=root, check=False)
    assert told(trail) == [("begun", None, "")]
    assert trail.faults() == []


def packed(
    trail: AuditTrail,
    after: int | None,
    to: int | None,
    *,
    who: str = "stick:1",
    action: str = "pack",
    patient: str | None = None,
    outcome: str = "done",
    sha256: str | None = None,
    readers: tuple[str, ...] = (),
    form: str = "plain",
    file: str | None = None,
) -> None:
    """Rows of a pack of what was recorded after one place and up to another."""
    entry = AuditEntry(who, action, "begun", patient, format=form)
    begun = trail.append(entry, NOON)
    ended = replace(entry, outcome=outcome, ends=begun["seq"], sha256=sha256)
    more = {"after_place": after, "to_place": to, "readers": readers, "file": file}
    trail.append(replace(ended, patients=("P07", "P08"), **more), NOON)


def test_a_first_pack_begins_with_the_first_clip(trail: AuditTrail) -> None:
    assert received_to(trail, "stick:1") == 0
    packed(trail, 0, 3, who="stick:2")
    packed(trail, 0, 3, action="export")
    packed(trail, 0, 3, outcome="failed")
    assert received_to(trail, "stick:1") == 0


def test_the_next_pack_begins_where_the_last_one_ends(trail: AuditTrail) -> None:
    packed(trail, 0, 3)
    assert received_to(trail, "stick:1") == 3
    packed(trail, 3, 5)
    packed(trail, 5, 9, outcome="failed")
    assert received_to(trail, "stick:1") == 5


def test_a_pack_of_some_other_range_leaves_no_gap(trail: AuditTrail) -> None:
    packed(trail, 2, 9)
    assert received_to(trail, "stick:1") == 0
    packed(trail, 0, 3)
    packed(trail, 7, 9)
    packed(trail, 1, 2)
    assert received_to(trail, "stick:1") == 3
    packed(trail, 2, 6)
    assert received_to(trail, "stick:1") == 6


def test_a_pack_that_was_found_damaged_was_not_received(trail: AuditTrail) -> None:
    packed(trail, 0, 3, sha256="aa" * 32)
    packed(trail, 3, 5, sha256="bb" * 32)
    trail.append(AuditEntry("stick:1", "pack", "failed", sha256="bb" * 32), NOON)
    assert received_to(trail, "stick:1") == 3


def test_packs_of_one_patient_are_not_packs_of_all(trail: AuditTrail) -> None:
    packed(trail, 0, 3, patient="P07")
    assert received_to(trail, "stick:1") == 0
    assert received_to(trail, "stick:1", "P08") == 0
    assert received_to(trail, "stick:1", "P07") == 3


def test_a_pack_of_an_older_version_says_nothing_of_places(trail: AuditTrail) -> None:
    packed(trail, None, None)
    assert received_to(trail, "stick:1") == 0


def test_a_pack_counts_only_for_those_who_can_read_it(trail: AuditTrail) -> None:
    packed(trail, 0, 3, form="age", readers=("anna", "ben"))
    packed(trail, 3, 5, form="age", readers=("anna",))
    assert received_to(trail, "stick:1", readers=("anna",)) == 5
    assert received_to(trail, "stick:1", readers=("ben",)) == 3
    assert received_to(trail, "stick:1", readers=("anna", "ben")) == 3
    assert received_to(trail, "stick:1", readers=("anna", "carl")) == 0


def test_an_encrypted_pack_does_not_count_for_whoever_is_to_read_plain_ones(
    trail: AuditTrail,
) -> None:
    packed(trail, 0, 3, form="age", readers=("anna",))
    assert received_to(trail, "stick:1") == 0


def test_everybody_has_received_a_plain_pack(trail: AuditTrail) -> None:
    packed(trail, 0, 3)
    assert received_to(trail, "stick:1", readers=("anna",)) == 3


def test_an_encrypted_pack_of_an_older_version_does_not_say_who_reads_it(
    trail: AuditTrail,
) -> None:
    packed(trail, 0, 3, form="age")
    assert received_to(trail, "stick:1", readers=("anna",)) == 0


def test_a_stick_has_what_the_packs_still_on_it_hold_without_a_gap_from_the_first_clip_on(
    trail: AuditTrail,
) -> None:
    packed(trail, 0, 3, file="a")
    packed(trail, 3, 5, file="b")
    packed(trail, 5, 9)
    for there, place in (("", 0), ("a", 3), ("b", 0), ("ab", 5), ("x", 0)):
        assert received_to(trail, "stick:1", holds=there.__contains__) == place
    # The same clips once more, since the pack that held them went to a stick of the same number.
    packed(trail, 3, 9, file="c")
    assert received_to(trail, "stick:1", holds="ac".__contains__) == 9
    assert received_to(trail, "stick:1", holds="bc".__contains__) == 0
    # A pack of everything closes the gap also before packs that were made earlier.
    packed(trail, 0, 4, file="d")
    assert received_to(trail, "stick:1", holds="bcd".__contains__) == 9
