"""A patient is erased: rows and journals; nothing is left, and others are untouched."""

import sqlite3
import struct
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from edge_fea.capture.clock import boot_id
from edge_fea.errors import ErasureIncomplete, NotAllowed, NotFoundError, StoreBusy
from edge_fea.store.audit import AuditEntry, AuditTrail
from edge_fea.store.clips import ClipFilter, ClipReader, ClipRecorder
from edge_fea.store.database import open_for_staff
from edge_fea.store.dictionary import TABLES
from edge_fea.store.erasure import erase_patient, rows_of
from edge_fea.store.patients import Erasures, Stays
from edge_fea.store.traces import search, tables_of
from edge_fea.summary.record import ClipSummary
from tests.conftest import NOON, FakeClock
from tests.store import erasure_factory
from tests.store.clip_factory import make_clip
from tests.store.erasure_factory import GONE, LONGER, OTHER, erase, everything, look, needles

recorded, path = erasure_factory.recorded, erasure_factory.path


def test_every_row_of_the_patient_goes_and_every_other_stays_as_it_is(path: Path) -> None:
    before = everything(path, but=GONE)
    count = rows_of(path, GONE, busy_timeout=1)
    done = erase(path)
    assert done.rows == count > 1000
    assert rows_of(path, GONE, busy_timeout=1) == 0
    assert everything(path) == before
    assert {len(before[table]) > 0 for table in ("clips", "stays", "baselines", "seconds")} == {
        True
    }


def test_nothing_of_the_patient_is_in_any_file_afterwards(path: Path) -> None:
    traces = needles(path)
    assert len(traces.clip_ids) > 1000
    assert len(traces.figures) > 5000
    assert look(path.parent, traces).found[path] > 5000
    done = erase(path)
    assert done.search.found == {}
    assert look(path.parent, traces).found == {}
    # Without edge-fea's own finder.
    data = b"".join(each.read_bytes() for each in path.parent.iterdir())
    assert not any(clip_id in data for clip_id in traces.clip_ids)
    assert not any(struct.pack(">Q", figure) in data for figure in traces.figures[:500])


def test_the_finder_finds_what_a_plain_delete_leaves(path: Path) -> None:
    traces = needles(path)
    with closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA secure_delete=OFF")
        for table, condition in tables_of(db).items():
            db.execute(f"DELETE FROM {table} WHERE {condition}", [GONE])
        db.commit()
    assert rows_of(path, GONE, busy_timeout=1) == 0
    assert look(path.parent, traces).found[path] > 100


@pytest.mark.parametrize("offset", [0, 1, 7, (1 << 22) - 20, (1 << 22) - 4, (1 << 22) - 1, 1 << 22])
def test_the_finder_finds_every_kind_of_trace_at_every_place(
    path: Path, tmp_path: Path, offset: int
) -> None:
    traces = needles(path)
    device, version = next(iter(traces.contexts))
    ways = {
        "id": next(iter(traces.clip_ids)),
        "figure": struct.pack(">Q", traces.figures[17]),
        "row": f"{device}{GONE}{version}".encode(),
        "stay": f"\x05{GONE}2026-11-22T12:00:00.000Z".encode(),
        "baseline": f"\x05{GONE}{'ab' * 32}2026-11-22T12:00:00.000Z".encode(),
    }
    for way, needle in ways.items():
        file = tmp_path / way
        file.write_bytes(bytes(offset) + needle + bytes(30))
        assert search([file], traces).found == {file: 1}, way


def test_the_finder_knows_the_pseudonym_from_a_part_of_another(path: Path, tmp_path: Path) -> None:
    traces = needles(path)
    file = tmp_path / "notes.txt"
    file.write_text("P70, XP7 and P7.1; CAP7URE")
    assert search([file], traces).found == {}
    file.write_text("P7, (P7) and P7")
    assert search([file], traces).found == {file: 3}
    noise = tmp_path / "noise"
    noise.write_bytes(b"\0" + b"...P7..P7" * 9)
    assert search([noise], traces).found == {}


def test_a_file_that_somebody_left_there_is_found_and_named(path: Path) -> None:
    left = path.with_name("export.csv")
    left.write_text(f"clip_id,patient\nx,{GONE}\n")
    with pytest.raises(ErasureIncomplete, match=r"1 in .*export.csv\. Files that edge-fea did not"):
        erase(path)
    assert left.exists()
    left.unlink()
    assert erase(path).search.found == {}


def test_it_may_be_done_again(path: Path) -> None:
    assert erase(path).rows > 0
    assert erase(path).rows == 0


def test_a_patient_who_was_never_there_is_told_so(path: Path) -> None:
    before = everything(path)
    with pytest.raises(NotFoundError, match="nothing of a patient P99"):
        erase(path, patient="P99")
    assert everything(path) == before
    # Nor is a second time taken for the rest of a first one.
    with pytest.raises(NotFoundError, match="nothing of a patient P99"):
        erase(path, patient="P99")


def test_without_a_database_nothing_is_made(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="no database"):
        erase(tmp_path / "none.db")
    assert list(tmp_path.iterdir()) == []


def test_while_the_stay_is_running_it_is_refused(path: Path) -> None:
    with open_for_staff(path, busy_timeout=1) as db:
        Stays(db).start(GONE, NOON)
    before = everything(path)
    with pytest.raises(NotAllowed, match="end the stay first"):
        erase(path)
    assert everything(path) == before


def test_the_pseudonym_is_in_no_table_afterwards_only_that_somebody_was_erased(
    path: Path, clock: FakeClock
) -> None:
    erase(path, clock)
    with closing(sqlite3.connect(path)) as db:
        ((number, at, stays, boot, monotonic, _, _),) = db.execute("SELECT * FROM erasures")
    assert (number, at, stays) == (1, "2026-11-22T12:00:00.000Z", 1)
    assert (boot, monotonic) == (boot_id(), 1000.0)


def test_who_it_was_is_forgotten_when_the_recording_starts_afresh(path: Path) -> None:
    erase(path)
    with ClipRecorder(path, busy_timeout=1, now=NOON) as recorder:
        row = next(recorder.opened.db.query("SELECT * FROM erasures"))
    assert {row[name] for name in ("boot_id", "monotonic_s", "salt", "patient_hash")} == {None}


# While the device records.


@pytest.fixture
def recorder(path: Path) -> Iterator[ClipRecorder]:
    with ClipRecorder(path, busy_timeout=1, now=NOON) as opened:
        yield opened


def live(clip: ClipSummary, began: float) -> ClipSummary:
    """The clip as a camera records it in this boot, begun at a moment of the monotonic clock."""
    recording = replace(clip.recording, boot_id=boot_id())
    return replace(clip, recording=recording, start_monotonic_s=began)


def patients(path: Path) -> list[str]:
    with ClipReader(path, busy_timeout=1) as reader:
        return reader.patients(ClipFilter(running=True))


def test_it_works_while_another_patient_is_recorded(recorder: ClipRecorder, path: Path) -> None:
    running = make_clip(0, patient=OTHER, ended_by=None)
    recorder.save(running)
    assert erase(path).search.found == {}
    assert recorder.save(make_clip(0, patient=OTHER))
    assert patients(path) == [LONGER, OTHER]


def test_the_clip_that_was_running_is_not_written_again(
    recorder: ClipRecorder, path: Path, clock: FakeClock
) -> None:
    clip = live(make_clip(0, patient=GONE), clock.time - 20)
    assert recorder.save(replace(clip, ended_by=None))
    clip_before_its_first_checkpoint = live(make_clip(50, patient=GONE), clock.time - 1)
    erase(path, clock)
    assert not recorder.save(clip)
    assert not recorder.save(clip_before_its_first_checkpoint)
    assert patients(path) == [LONGER, OTHER]


def test_a_patient_who_comes_back_is_recorded_again(
    recorder: ClipRecorder, path: Path, clock: FakeClock
) -> None:
    erase(path, clock)
    assert recorder.save(live(make_clip(0, patient=GONE), clock.time + 1))
    assert patients(path) == [GONE, LONGER, OTHER]


def test_a_file_that_was_being_read_does_not_bring_the_patient_back(
    recorder: ClipRecorder, path: Path
) -> None:
    erase(path)
    assert not recorder.save(make_clip(0, patient=GONE))


def test_a_file_that_is_read_later_is_kept(path: Path) -> None:
    erase(path)
    with ClipRecorder(path, busy_timeout=1, now=NOON) as recorder:
        assert recorder.save(make_clip(0, patient=GONE))


def test_between_two_stays_nobody_is_recorded_even_if_all_stays_were_erased(path: Path) -> None:
    with ClipRecorder(path, busy_timeout=1, now=NOON) as recorder:
        assert recorder.patient_present() == "unassigned"
        for patient in (GONE, LONGER, OTHER):
            erase(path, patient=patient)
        assert recorder.opened.db.table("stays").count == 0
        assert recorder.patient_present() == "unassigned"


def test_where_stays_were_never_used_the_settings_go_on_to_hold(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    with ClipRecorder(path, busy_timeout=1, now=NOON) as recorder:
        recorder.save(make_clip(0, patient=GONE))
        erase(path)
        assert recorder.patient_present() is None


def test_a_reader_of_an_older_state_keeps_it_in_the_journal_and_that_is_told(path: Path) -> None:
    with ClipRecorder(path, busy_timeout=1, now=NOON) as recorder:
        recorder.save(make_clip(0, patient=GONE))
        with (
            ClipReader(path, busy_timeout=1) as reader,
            reader.one_moment(),
            pytest.raises(StoreBusy, match="give the same command again"),
        ):
            erase_patient(path, GONE, busy_timeout=0.1, clock=FakeClock())
        assert erase(path).search.found == {}


def test_the_audit_trail_survives_and_is_searched_too(path: Path) -> None:
    trail = AuditTrail(path.parent / "audit" / "edge-fea-audit.db", busy_timeout=1)
    trail.append(AuditEntry("user:anna", "pack", "done", GONE), NOON)
    erase(path)
    assert len(trail.rows(GONE)) == 1
    assert trail.faults() == []
    leaky = AuditEntry("user:anna", "pack", note=f"pack of {GONE}{NOON + timedelta(0):%Y-%m-%dT}")
    trail.append(leaky, NOON)
    with pytest.raises(ErasureIncomplete, match=r"edge-fea-audit.db"):
        erase(path)


def test_every_table_with_a_patient_in_it_is_known(recorder: ClipRecorder) -> None:
    """A table that is added later is erased too, or this test tells."""
    owned = tables_of(recorder.opened.db.conn)
    of_nobody = {"audit_anchor", "clock_checks", "data_dictionary", "erasures"}
    assert set(owned) == set(TABLES) - of_nobody
    assert list(owned)[-1] == "clips"


def test_an_erasure_of_another_boot_does_not_matter(recorder: ClipRecorder, path: Path) -> None:
    db = recorder.opened.db
    Erasures(db).add(GONE, 0, FakeClock())
    db.conn.execute("UPDATE erasures SET boot_id = 'another'")
    db.conn.commit()
    assert recorder.save(live(make_clip(0, patient=GONE), 0.0))
