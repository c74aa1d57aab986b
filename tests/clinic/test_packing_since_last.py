"""Packs that bring what the last one lacked: by the order of recording, whatever the clock said."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest
from pyrage import x25519

from edge_fea.clinic.handover import received_to
from edge_fea.clinic.keys import reader_fingerprint
from edge_fea.clinic.packing import Packed, PackOrder, pack_into
from edge_fea.config import ClinicSettings, DeviceSettings, Settings, StoreSettings
from edge_fea.errors import NothingNew
from edge_fea.store.audit import AuditTrail
from edge_fea.store.clips import ClipReader, ClipRecorder
from edge_fea.store.erasure import erase_patient
from edge_fea.store.order import begin_anew
from edge_fea.summary.record import ClipSummary
from tests.conftest import NOON, FakeClock
from tests.store.clip_factory import START, make_clip

READER = x25519.Identity.generate()
WHO = "stick:1234"
ORDER = PackOrder(WHO, since_last=True)

Give = Callable[..., Packed]


@pytest.fixture
def device(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """A device with two clips and a running one, whose packs have no reports."""
    monkeypatch.setattr("edge_fea.clinic.pack_members._report_names", lambda patients: [])
    (tmp_path / "device").mkdir()
    settings = Settings(
        store=StoreSettings(database=tmp_path / "device" / "a.db"),
        clinic=ClinicSettings(
            recipients=(str(READER.to_public()),), signing_key=tmp_path / "keys" / "device.pem"
        ),
        device=DeviceSettings(id="efea-ward3"),
    )
    record(settings, make_clip(0), make_clip(5), make_clip(10, ended_by=None))
    return settings


def record(device: Settings, *clips: ClipSummary) -> None:
    with ClipRecorder(device.store.database, busy_timeout=1, now=NOON) as recorder:
        for clip in clips:
            recorder.save(clip)


@pytest.fixture
def trail(device: Settings) -> AuditTrail:
    return AuditTrail(device.store.audit, busy_timeout=1)


@pytest.fixture
def give(device: Settings, trail: AuditTrail, clock: FakeClock, tmp_path: Path) -> Give:
    """Makes a pack, each under a name of its own."""
    clock.wall = START + timedelta(minutes=12)
    made: list[Path] = []

    def give_it(order: PackOrder = ORDER, *recipients: str) -> Packed:
        made.append(tmp_path / f"{len(made)}.edgefea")
        asked = device
        if recipients:
            clinic = device.clinic.model_copy(update={"recipients": recipients})
            asked = device.model_copy(update={"clinic": clinic})
        return pack_into(made[-1], order, asked, trail, clock)

    return give_it


def had(trail: AuditTrail, patient: str | None = None) -> int:
    """The place up to which the stick has received what its reader can read."""
    readers = [reader_fingerprint(str(READER.to_public()))]
    return received_to(trail, WHO, patient, readers=readers)


def places(device: Settings) -> dict[str, int]:
    with closing(sqlite3.connect(device.store.database)) as db:
        return dict(db.execute("SELECT clip_id, place FROM clip_order"))


def test_the_next_pack_holds_what_the_last_one_lacked_and_the_clip_that_was_running(
    device: Settings, trail: AuditTrail, give: Give
) -> None:
    first = give()
    assert (first.clips, first.start, first.end) == (2, None, START + timedelta(minutes=10))
    with pytest.raises(NothingNew, match="nothing new since the last pack"):
        give()
    record(device, make_clip(10), make_clip(15))
    second = give()
    assert (second.clips, second.start) == (2, START + timedelta(minutes=10))
    assert had(trail) == places(device)[make_clip(15).clip_id]
    # Another stick begins with the first clip.
    assert give(PackOrder("stick:99", since_last=True)).clips == 4


def test_clips_of_a_clock_that_was_set_back_are_in_the_next_pack(
    device: Settings, give: Give
) -> None:
    record(device, make_clip(10))
    assert give().clips == 3
    record(device, make_clip(-60), make_clip(-55))
    done = give()
    assert (done.clips, done.start) == (2, START - timedelta(minutes=60))
    assert done.start < done.end
    with pytest.raises(NothingNew):
        give()


def test_a_clip_of_a_clock_that_had_run_ahead_lies_within_the_range_that_is_told(
    device: Settings, give: Give
) -> None:
    record(device, make_clip(10), make_clip(600))
    assert give().end == START + timedelta(minutes=600)


def test_a_clip_that_another_was_erased_after_is_not_taken_for_received(
    device: Settings, give: Give, clock: FakeClock
) -> None:
    """The last clips are gone, and the clock is set back: their places are not given again."""
    record(device, make_clip(10), make_clip(15, patient="P99"), make_clip(20, patient="P99"))
    assert give().clips == 5
    erase_patient(device.store.database, "P99", busy_timeout=1, clock=clock)
    record(device, make_clip(-60))
    assert give().clips == 1
    assert len(places(device)) == 4


def test_a_pack_of_days_that_leaves_none_out_counts_as_received(
    device: Settings, trail: AuditTrail, give: Give
) -> None:
    record(device, make_clip(10), make_clip(15))
    place = places(device)
    give(PackOrder(WHO, start=START + timedelta(minutes=10)))
    assert had(trail) == 0
    give(PackOrder(WHO, end=START + timedelta(minutes=7)))
    assert had(trail) == place[make_clip(5).clip_id]
    give(PackOrder(WHO, start=START + timedelta(minutes=8)))
    assert had(trail) == place[make_clip(15).clip_id]


def test_a_bound_in_the_future_is_no_promise_for_clips_to_come(
    device: Settings, trail: AuditTrail, give: Give
) -> None:
    done = give(PackOrder(WHO, end=START + timedelta(days=9)))
    assert done.end == START + timedelta(minutes=10)
    assert had(trail) == places(device)[make_clip(5).clip_id]


def test_the_clips_of_another_patient_are_not_missing_in_a_pack_of_one(
    device: Settings, trail: AuditTrail, give: Give
) -> None:
    order = PackOrder(WHO, "P07", since_last=True)
    record(device, make_clip(10), make_clip(15, patient="P08"), make_clip(20))
    assert give(order).clips == 4
    assert had(trail, "P07") == places(device)[make_clip(20).clip_id]
    record(device, make_clip(25, patient="P08"), make_clip(30))
    assert give(order).clips == 1


def test_what_another_database_handed_over_is_not_taken_for_what_this_one_has(
    device: Settings, trail: AuditTrail, give: Give
) -> None:
    record(device, make_clip(10))
    give()
    received = had(trail)
    device.store.database.unlink()
    record(device, make_clip(-600))
    # A new database counts on from the present, so its places are beyond those of the old one.
    assert places(device)[make_clip(-600).clip_id] > received
    assert give().clips == 1


def test_of_a_database_that_is_behind_what_was_received_everything_is_given(
    device: Settings, trail: AuditTrail, give: Give
) -> None:
    record(device, make_clip(10))
    give()
    with closing(sqlite3.connect(device.store.database)) as db, db:
        db.execute("UPDATE clip_order SET place = place - 1000000")
        db.execute("UPDATE sqlite_sequence SET seq = seq - 1000000 WHERE name = 'clip_order'")
    assert give().clips == 3


def test_after_a_restored_backup_no_place_is_given_twice(
    device: Settings, trail: AuditTrail
) -> None:
    before = max(places(device).values())
    with ClipRecorder(device.store.database, busy_timeout=1, now=NOON) as recorder:
        begin_anew(recorder.opened.db)
        recorder.save(make_clip(60))
    assert places(device)[make_clip(60).clip_id] > before + 1_000_000
    with ClipReader(device.store.database, busy_timeout=1) as reader:
        assert reader.last_place() == places(device)[make_clip(60).clip_id]


def test_a_clip_keeps_its_place_however_often_it_is_written(device: Settings) -> None:
    before = places(device)
    record(device, make_clip(10), make_clip(0))
    assert places(device) == before
    assert sorted(before, key=before.__getitem__) == [make_clip(n).clip_id for n in (0, 5, 10)]


def test_a_new_reader_is_given_all_clips_and_so_is_one_in_the_place_of_another(
    device: Settings, give: Give
) -> None:
    old, new = str(READER.to_public()), str(x25519.Identity.generate().to_public())
    assert give().clips == 2
    assert give(ORDER, old, new).clips == 2
    third = str(x25519.Identity.generate().to_public())
    assert give(ORDER, third).clips == 2
    # Whoever is left had them before.
    with pytest.raises(NothingNew):
        give(ORDER, old)


def test_a_stick_from_which_the_packs_were_removed_gets_their_clips_again(
    device: Settings, trail: AuditTrail, give: Give, clock: FakeClock, tmp_path: Path
) -> None:
    stick = tmp_path / "stick"
    stick.mkdir()
    order = PackOrder(WHO, since_last=True, still_in=stick)

    def fill() -> Packed:
        clock.wall += timedelta(seconds=1)  # names are told apart by the second
        return pack_into(stick, order, device, trail, clock)

    first = fill()
    assert first.path is not None
    record(device, make_clip(10))
    second = fill()
    assert (first.clips, second.clips) == (2, 1)
    assert second.path is not None
    second.path.unlink()
    assert fill().clips == 1
    # A late pack does not stand for the first one, whose clips are nowhere else.
    first.path.unlink()
    assert fill().clips == 3
    for pack in stick.iterdir():
        pack.unlink()
    assert fill().clips == 3
