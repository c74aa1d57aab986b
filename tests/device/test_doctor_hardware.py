"""The doctor on camera, disk, wear, clock, zone, heat and power."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from edge_fea.device.doctor import hardware
from edge_fea.device.doctor.checks import Check, examine
from edge_fea.device.doctor.findings import State, Verdict
from edge_fea.store.clips import ClipRecorder
from edge_fea.store.database import writing
from edge_fea.store.moments import Moments
from edge_fea.summary.record import ClipSummary
from tests.conftest import NOON
from tests.device.doctor_case import GIGABYTE, PID, Made
from tests.store.clip_factory import make_clip


@pytest.fixture
def made(tmp_path: Path) -> Made:
    return Made(tmp_path)


def sensor(made: Made, name: str = "imx708 10-001a") -> None:
    made.put("/sys/class/video4linux/v4l-subdev0/name", name)
    made.put("/sys/class/video4linux/video0/name", "unicam-image")


def test_a_camera_in_use_is_left_alone(made: Made) -> None:
    made.hold_lock()
    made.camera = "must not be asked"
    assert hardware.camera(made.case()) == Verdict(
        State.OK, f"process {PID} records from it; it is left alone"
    )


def test_a_camera_that_nobody_uses_is_asked_for_a_picture(made: Made) -> None:
    sensor(made)
    told = hardware.camera(made.case())
    assert (told.state, told.what) == (
        State.OK,
        "sensor imx708: gave a picture, which nobody looked at",
    )


def test_a_camera_that_gives_no_picture_fails(made: Made) -> None:
    sensor(made)
    made.camera = "no picture within 25 s: it hangs"
    told = hardware.camera(made.case())
    assert (told.state, told.what) == (State.BAD, f"sensor imx708: {made.camera}")


@pytest.mark.parametrize("name", ["", "dw9807 10-000c", "unicam-image"])
def test_without_a_sensor_the_cable_is_named(made: Made, name: str) -> None:
    sensor(made, name)
    made.camera = "no Pi camera number 0"
    told = hardware.camera(made.case())
    assert (told.state, told.what) == (State.BAD, f"no sensor answers: {made.camera}")
    assert "ribbon cable" in told.todo


def test_a_camera_that_is_no_sensor_is_told_by_its_picture(made: Made) -> None:
    told = hardware.camera(made.case())
    assert told.state is State.OK
    assert "no sensor on the board's bus: gave a picture" in told.what


def test_memory_that_the_service_may_not_open_is_a_camera_that_does_not_work(made: Made) -> None:
    sensor(made)
    made.unit(User="nobody")
    heap = made.put("/dev/dma_heap/linux,cma", "")
    heap.chmod(0o600)
    told = hardware.camera(made.case())
    assert told.state is State.BAD
    assert told.what.startswith("/dev/dma_heap (linux,cma) is not for nobody")


def test_one_heap_that_the_service_may_open_is_enough(made: Made) -> None:
    sensor(made)
    made.unit(User="nobody")
    made.put("/dev/dma_heap/linux,cma", "").chmod(0o600)
    made.put("/dev/dma_heap/vidbuf_cached", "").chmod(0o666)
    assert hardware.camera(made.case()).state is State.OK


def test_a_group_that_the_unit_lends_counts(made: Made) -> None:
    sensor(made)
    heap = made.put("/dev/dma_heap/system", "")
    heap.chmod(0o660)
    group = heap.group()
    made.unit(User="nobody", SupplementaryGroups=group)
    assert hardware.camera(made.case()).state is State.OK


def test_a_user_who_is_missing_is_named(made: Made) -> None:
    sensor(made)
    made.unit(User="no-such-user")
    (told,) = examine(made.case(), [Check("camera", hardware.camera)])
    assert (told.state, "no-such-user" in told.what) == (State.BAD, True)


def test_a_webcam_is_named_by_its_device(made: Made) -> None:
    made.settings["capture.source"] = "webcam"
    assert hardware.camera(made.case()).what.startswith("/dev/video0: gave a picture")


def test_room_on_the_disk_is_told(made: Made) -> None:
    made.record()
    assert hardware.disk(made.case()) == Verdict(State.OK, "20.0 GB free")


def test_room_is_told_in_time_once_there_are_clips(made: Made) -> None:
    made.record(*(make_clip(5 * number, seen=1, missed=0) for number in range(120)))
    assert "enough for" in hardware.disk(made.case()).what
    made.free = made.database.stat().st_size // 120 * 288 * 80
    # 80 days of clips: less than what is asked for.
    assert hardware.disk(made.case()).state is not State.OK


@pytest.mark.parametrize(
    ("free", "state"), [(10**7, State.BAD), (10**8, State.WARN), (GIGABYTE, State.OK)]
)
def test_little_room_is_warned_of(made: Made, free: int, state: State) -> None:
    made.record()
    made.free = free
    assert hardware.disk(made.case()).state is state


def test_a_disk_that_is_read_only_fails(made: Made) -> None:
    made.record()
    made.read_only = True
    told = hardware.disk(made.case())
    assert (told.state, "replace the card" in told.todo) == (State.BAD, True)


def test_a_folder_that_is_not_there_fails(made: Made) -> None:
    assert hardware.disk(made.case()).state is State.BAD


def wear(made: Made, megabytes: int, hours: float, **files: str) -> Verdict:
    sectors = megabytes * 10**6 // 512
    made.disk(stat=f"1 2 3 4 5 6 {sectors} 8", **files)
    made.put("/proc/uptime", f"{hours * 3600} 1.0")
    return hardware.wear(made.case())


def test_bytes_a_day_are_what_the_disk_counted_since_boot(made: Made) -> None:
    assert wear(made, 100, 48) == Verdict(State.OK, "mmcblk0: 50 MB a day since boot")


def test_the_recordings_own_share_is_told(made: Made) -> None:
    made.hold_lock()
    made.put(f"/proc/{PID}/io", "rchar: 1\nwchar: 2\nwrite_bytes: 20000000\n")
    # Started a day after boot, two days ago by now.
    made.put(f"/proc/{PID}/stat", f"{PID} (edge fea) S {' '.join(['0'] * 18)} 8640000 0")
    told = wear(made, 300, 72)
    assert told.what == "mmcblk0: 100 MB a day since boot, 10 MB of it by the recording"


def test_a_disk_that_is_written_to_without_end_is_warned_of(made: Made) -> None:
    told = wear(made, 10_000, 24)
    assert told.state is State.WARN
    assert "who writes" in told.todo


def test_after_a_short_time_nothing_is_concluded(made: Made) -> None:
    told = wear(made, 1000, 0.5)
    assert (told.state, "too short" in told.what) == (State.OK, True)


@pytest.mark.parametrize(
    ("life", "state"),
    [("0x01 0x02", State.OK), ("0x08 0x01", State.WARN), ("0x0b 0x01", State.BAD)],
)
def test_emmc_tells_how_much_of_its_life_is_used(made: Made, life: str, state: State) -> None:
    assert wear(made, 100, 48, device__life_time=life).state is state


def test_a_disk_in_memory_does_not_wear(made: Made) -> None:
    made.record()
    assert hardware.wear(made.case()).state is State.UNKNOWN


def of_boot(clip: ClipSummary, boot: str) -> ClipSummary:
    return replace(clip, recording=replace(clip.recording, boot_id=boot))


def test_a_synchronized_clock_is_well(made: Made) -> None:
    assert hardware.clock(made.case()) == Verdict(State.OK, "synchronized")


def test_a_clock_that_nobody_has_set_is_warned_of(made: Made) -> None:
    made.clock.right = False
    assert hardware.clock(made.case()).what == "not synchronized since boot"
    made.record(of_boot(make_clip(0, synchronized=False), "boot-2"))
    told = hardware.clock(made.case())
    assert told.what == "not synchronized since boot, 1 clips with a doubtful time"
    assert "edge-fea clock confirm" in told.todo


def test_a_clock_that_has_gone_back_fails(made: Made) -> None:
    made.clock.right = False
    made.record(of_boot(make_clip(60 * 5), "boot-1"))
    told = hardware.clock(made.case())
    assert told.state is State.BAD
    assert told.what.startswith("5.4 h behind what was recorded before this boot")


def test_a_battery_clock_is_said_to_be_there(made: Made) -> None:
    made.clock.right = False
    made.record()
    made.put("/sys/class/rtc/rtc0/name", "rpi-rtc")
    assert "there is a battery clock" in hardware.clock(made.case()).what


def test_a_persons_word_is_enough(made: Made) -> None:
    made.clock.right = False
    made.record()
    with ClipRecorder(made.database, busy_timeout=1, now=NOON) as recorder:
        db = recorder.opened.db
        with writing(db):
            Moments(db).check("boot-2", made.clock)
    assert hardware.clock(made.case()).state is State.OK


def test_the_zone_is_told_and_utc_is_warned_of(made: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hardware, "system_zone", lambda: "Etc/UTC")
    assert hardware.zone(made.case()).state is State.WARN
    monkeypatch.setattr(hardware, "system_zone", lambda: "Europe/Rome")
    assert hardware.zone(made.case()) == Verdict(State.OK, "Europe/Rome (the machine's)")
    made.settings["device.time_zone"] = "Asia/Tokyo"
    assert hardware.zone(made.case()).what == "Asia/Tokyo (device.time_zone)"


@pytest.mark.parametrize(
    ("text", "state"),
    [("47236", State.OK), ("76000", State.WARN), ("83000", State.BAD), ("", State.UNKNOWN)],
)
def test_heat_is_told_in_degrees(made: Made, text: str, state: State) -> None:
    made.put("/sys/class/thermal/thermal_zone0/temp", text)
    assert hardware.temperature(made.case()).state is state


@pytest.mark.parametrize(
    ("bits", "state", "what"),
    [
        ("0x0", State.OK, "enough, and no throttling since boot"),
        ("0x50000", State.WARN, "since boot: too little voltage, throttling"),
        ("0x50005", State.BAD, "now: too little voltage, throttling"),
        ("0x80008", State.BAD, "now: too much heat"),
    ],
)
def test_the_firmwares_bits_are_said_in_words(
    made: Made, bits: str, state: State, what: str
) -> None:
    made.answers["vcgencmd get_throttled"] = f"throttled={bits}"
    told = hardware.power(made.case())
    assert (told.state, told.what) == (state, what)


@pytest.mark.parametrize(("alarm", "state"), [("0", State.OK), ("1", State.BAD)])
def test_without_vcgencmd_the_kernels_alarm_is_read(made: Made, alarm: str, state: State) -> None:
    made.put("/sys/class/hwmon/hwmon0/name", "cpu_thermal")
    made.put("/sys/class/hwmon/hwmon1/name", "rpi_volt")
    made.put("/sys/class/hwmon/hwmon1/in0_lcrit_alarm", alarm)
    assert hardware.power(made.case()).state is state


def test_a_machine_that_is_no_pi_does_not_tell(made: Made) -> None:
    assert hardware.power(made.case()).state is State.UNKNOWN


def test_the_clock_is_behind_by_the_time_since_boot_too(made: Made) -> None:
    made.clock.right = False
    made.clock.wall = NOON - timedelta(hours=1)
    made.record(of_boot(make_clip(0), "boot-1"))
    assert hardware.clock(made.case()).state is State.BAD
