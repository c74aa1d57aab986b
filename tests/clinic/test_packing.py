"""What is in a pack: reports, clips in two formats, the dictionary; and its rows in the trail."""

import csv
import io
import json
import re
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from pyrage import x25519

from edge_fea.clinic.manifest import NAME_PATTERN
from edge_fea.clinic.pack import PackMember
from edge_fea.clinic.pack_members import members, reports_in
from edge_fea.clinic.packing import PackOrder, pack_into, pack_through
from edge_fea.clinic.selection import Selection
from edge_fea.clinic.unpack import Unpacked, unpack
from edge_fea.config import ClinicSettings, DeviceSettings, Settings, StoreSettings
from edge_fea.errors import NotAllowed, OutputExists
from edge_fea.store import dictionary
from edge_fea.store.audit import AuditTrail
from edge_fea.store.clips import ClipFilter, ClipReader, ClipRecorder
from tests.clinic.simulated import Plan, simulate
from tests.conftest import NOON, FakeClock
from tests.store.clip_factory import make_clip

READER = x25519.Identity.generate()
WHO = "stick:1234"


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A database with some days of two patients whose pseudonyms differ only in case."""
    path = tmp_path_factory.mktemp("recorded") / "a.db"
    simulate(path, patient="P07", plan=Plan(days=3, first_day=date(2026, 11, 1)), rule=None)
    simulate(path, patient="p07", plan=Plan(days=2, first_day=date(2026, 11, 10)), rule=None)
    return path.read_bytes()


@pytest.fixture
def device(tmp_path: Path, recorded: bytes) -> Settings:
    folder = tmp_path / "device"
    folder.mkdir()
    (folder / "a.db").write_bytes(recorded)
    return Settings(
        store=StoreSettings(database=folder / "a.db"),
        clinic=ClinicSettings(
            recipients=(str(READER.to_public()),), signing_key=folder / "keys" / "device.pem"
        ),
        device=DeviceSettings(id="efea-ward3"),
    )


@pytest.fixture
def trail(device: Settings) -> AuditTrail:
    return AuditTrail(device.store.audit, busy_timeout=1)


@pytest.fixture
def opened(tmp_path: Path) -> Callable[[Path], Unpacked]:
    return lambda pack: unpack(pack, tmp_path / "out", identities=[READER], device=None)


def test_a_pack_holds_a_report_on_each_patient_the_clips_and_the_dictionary(
    device: Settings, trail: AuditTrail, clock: FakeClock, tmp_path: Path, opened
) -> None:
    done = pack_into(tmp_path, PackOrder(WHO), device, trail, clock)
    assert done.path == tmp_path / "edge-fea-efea-ward3-20261122T120000Z.edgefea"
    assert done.encrypted
    unpacked = opened(done.path)
    files = {each.name: each for each in unpacked.folder.iterdir()}
    assert set(files) == {
        *("report-P07.html", "report-p07-2.html", "clips.csv", "clips.fhir.json"),
        *("dictionary.md", "manifest.json", "manifest.sig"),
    }
    assert "P07" in files["report-P07.html"].read_text()
    assert files["dictionary.md"].read_text() == dictionary.markdown()
    rows = list(csv.DictReader(io.StringIO(files["clips.csv"].read_text())))
    bundle = json.loads(files["clips.fhir.json"].read_text())
    observations = [
        entry for entry in bundle["entry"] if entry["resource"]["resourceType"] == "Observation"
    ]
    about = unpacked.manifest
    assert len(rows) == len(observations) == about.clips == done.clips
    assert about.patients == ["P07", "p07"]
    assert about.device_id == "efea-ward3"


def test_its_rows_say_who_got_what_and_the_manifest_names_the_first(
    device: Settings, trail: AuditTrail, clock: FakeClock, tmp_path: Path, opened
) -> None:
    start = NOON - timedelta(days=20)
    done = pack_into(tmp_path / "a.edgefea", PackOrder(WHO, "P07", start), device, trail, clock)
    begun, ended = trail.rows()
    assert (ended["who"], ended["action"], ended["outcome"]) == (WHO, "pack", "done")
    assert (ended["ends"], ended["bytes"], ended["sha256"]) == (1, done.size, done.sha256)
    assert (ended["from_utc"], ended["format"]) == ("2026-11-02T12:00:00.000Z", "age")
    about = opened(tmp_path / "a.edgefea").manifest
    assert (about.audit.seq, about.audit.head) == (1, begun["chain"])
    assert about.patients == ["P07"]
    assert about.from_utc == "2026-11-02T12:00:00.000Z"


def test_without_a_reader_it_is_refused_and_that_is_on_record(
    device: Settings, trail: AuditTrail, clock: FakeClock, tmp_path: Path
) -> None:
    nobody = device.model_copy(update={"clinic": ClinicSettings()})
    with pytest.raises(NotAllowed, match="no pack without a reader"):
        pack_into(tmp_path / "a", PackOrder(WHO), nobody, trail, clock)
    with pytest.raises(NotAllowed):
        pack_through(io.BytesIO(), PackOrder(WHO), nobody, trail, clock)
    assert [row["outcome"] for row in trail.rows()] == ["begun", "refused"] * 2
    assert not (tmp_path / "a").exists()


def test_a_stream_gets_what_a_file_gets(
    device: Settings, trail: AuditTrail, clock: FakeClock, tmp_path: Path, opened
) -> None:
    out = io.BytesIO()
    done = pack_through(out, PackOrder(WHO, "p07"), device, trail, clock)
    assert (done.path, done.size) == (None, len(out.getvalue()))
    (tmp_path / "a.edgefea").write_bytes(out.getvalue())
    assert opened(tmp_path / "a.edgefea").manifest.patients == ["p07"]
    assert trail.rows()[-1]["sha256"] == done.sha256


class Hangup(io.BytesIO):
    """A reader who goes away after some bytes."""

    def write(self, data) -> int:
        if self.tell() > 10_000:
            raise BrokenPipeError(32, "Broken pipe")
        return super().write(data)


def test_a_stream_that_breaks_leaves_a_row_that_says_how_much_had_left(
    device: Settings, trail: AuditTrail, clock: FakeClock
) -> None:
    out = Hangup()
    with pytest.raises(BrokenPipeError):
        pack_through(out, PackOrder(WHO, "p07"), device, trail, clock)
    row = trail.rows()[-1]
    assert (row["outcome"], row["note"]) == ("failed", "BrokenPipeError")
    assert row["bytes"] >= len(out.getvalue()) > 0


def test_a_name_that_is_taken_is_left_as_it_is(
    device: Settings, trail: AuditTrail, clock: FakeClock, tmp_path: Path
) -> None:
    (tmp_path / "a").write_text("mine")
    with pytest.raises(OutputExists):
        pack_into(tmp_path / "a", PackOrder(WHO), device, trail, clock)
    assert (tmp_path / "a").read_text() == "mine"


def test_a_plain_pack_has_another_name(
    device: Settings, trail: AuditTrail, clock: FakeClock, tmp_path: Path
) -> None:
    allowed = device.clinic.model_copy(update={"recipients": (), "plain_packs": True})
    plain = device.model_copy(update={"clinic": allowed})
    done = pack_into(tmp_path, PackOrder(WHO, "p07"), plain, trail, clock)
    assert done.path is not None
    assert (done.path.suffix, done.encrypted) == (".zip", False)
    assert trail.rows()[0]["format"] == "plain"


@pytest.mark.parametrize("patient", ["../../P07", "Frau Müller", "P07\n", "x" * 200])
def test_a_pseudonym_put_in_by_hand_names_no_file_but_one_of_the_pack(
    tmp_path: Path, patient: str
) -> None:
    with ClipRecorder(tmp_path / "clips.db", busy_timeout=1, now=NOON) as recorder:
        recorder.save(make_clip(0, patient=patient))
    with ClipReader(tmp_path / "clips.db", busy_timeout=1) as reader:
        selection = Selection(reader, ClipFilter())
        (report,) = reports_in(selection, Settings(), NOON, NOON)
    assert re.fullmatch(NAME_PATTERN, report.name)


@pytest.fixture
def berlin(device: Settings, clock: FakeClock) -> Settings:
    """A device with clips of the first and of the last days of a hundred."""
    device.store.database.unlink()
    plan = Plan(days=100, first_day=date(2026, 8, 1), off_days=tuple(range(3, 97)))
    simulate(device.store.database, plan=plan, rule=None)
    clock.wall = datetime(2026, 11, 8, 23, 30, tzinfo=UTC)
    place = DeviceSettings(id="efea-ward3", time_zone="Europe/Berlin")
    return device.model_copy(update={"device": place})


NOVEMBER_7 = datetime(2026, 11, 7, tzinfo=UTC)


def test_a_pack_of_what_is_new_has_a_report_of_ninety_days_and_its_rows_say_so(
    berlin: Settings, trail: AuditTrail, clock: FakeClock, tmp_path: Path, opened
) -> None:
    """What lasts is not to be missed because the stick came last week."""
    pack_into(tmp_path / "first", PackOrder(WHO, end=NOVEMBER_7), berlin, trail, clock)
    pack_into(tmp_path / "a", PackOrder(WHO, since_last=True), berlin, trail, clock)
    done = opened(tmp_path / "a")
    (report,) = done.manifest.reports
    assert report.name == "report-P07.html"
    assert report.from_utc == "2026-08-10T22:00:00.000Z"
    assert report.to_utc == done.manifest.to_utc
    assert done.manifest.from_utc is not None
    assert done.manifest.from_utc >= "2026-11-07T00:00:00.000Z"
    assert "11 August to 8 November 2026 (90 days)" in (done.folder / report.name).read_text()
    ranges = [(row["from_utc"], row["to_utc"]) for row in trail.rows()[2:]]
    assert ranges == [(report.from_utc, report.to_utc)] * 2


def test_a_pack_from_a_day_on_holds_no_figure_from_before_it(
    berlin: Settings, trail: AuditTrail, clock: FakeClock, tmp_path: Path, opened
) -> None:
    pack_into(tmp_path / "a", PackOrder(WHO, start=NOVEMBER_7), berlin, trail, clock)
    done = opened(tmp_path / "a")
    (report,) = done.manifest.reports
    assert report.from_utc == done.manifest.from_utc == "2026-11-07T00:00:00.000Z"
    assert "7 November to 8 November 2026" in (done.folder / report.name).read_text()
    assert {row["from_utc"] for row in trail.rows()} == {"2026-11-07T00:00:00.000Z"}


def test_a_report_of_a_pack_ends_where_the_patients_clips_do(
    device: Settings, trail: AuditTrail, clock: FakeClock, tmp_path: Path, opened
) -> None:
    """Of a patient who left a year ago there is a report too."""
    clock.wall = datetime(2027, 11, 8, tzinfo=UTC)
    pack_into(tmp_path / "a", PackOrder(WHO, "P07"), device, trail, clock)
    done = opened(tmp_path / "a")
    assert "1 November to 3 November 2026" in (done.folder / "report-P07.html").read_text()


@pytest.fixture
def short(device: Settings, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """A device with few clips, whose packs have no reports."""
    monkeypatch.setattr("edge_fea.clinic.pack_members._report_names", lambda patients: [])
    device.store.database.unlink()
    with ClipRecorder(device.store.database, busy_timeout=1, now=NOON) as recorder:
        recorder.save(make_clip(0))
        recorder.save(make_clip(5))
        recorder.save(make_clip(10, ended_by=None))
    return device


def test_a_pack_is_of_one_moment_whatever_is_recorded_meanwhile(
    short: Settings, trail: AuditTrail, clock: FakeClock, tmp_path: Path, opened, monkeypatch
) -> None:
    """A clip that ends while a pack is made is in none of its files."""
    with ClipRecorder(short.store.database, busy_timeout=1, now=NOON) as recorder:

        def meanwhile() -> str:
            recorder.save(make_clip(20))
            return "text"

        monkeypatch.setattr("edge_fea.store.dictionary.markdown", meanwhile)
        monkeypatch.setattr("edge_fea.clinic.packing.members", dictionary_first)
        pack_into(tmp_path / "1", PackOrder(WHO), short, trail, clock)
    done = opened(tmp_path / "1")
    rows = (done.folder / "clips.csv").read_text().splitlines()
    assert len(rows) - 1 == done.manifest.clips == 3


def dictionary_first(*given) -> list[PackMember]:
    return sorted(members(*given), key=lambda each: each.name != "dictionary.md")
