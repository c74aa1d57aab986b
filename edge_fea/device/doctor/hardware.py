"""Checks of the machine: camera, disk, wear of the card, clock, zone, heat and power."""

import os
import re
from contextlib import closing
from pathlib import Path

from edge_fea.capture.clock import system_zone
from edge_fea.device.disks import block_device
from edge_fea.device.doctor.findings import Case, Verdict, bad, ok, unknown, warn
from edge_fea.device.doctor.rights import service_account
from edge_fea.errors import NotFoundError
from edge_fea.store.database import open_for_reading
from edge_fea.store.errors_from_sqlite import translated
from edge_fea.store.moments import Moments

# A sensor's driver is named after it and its place on the I2C bus; so is a lens's.
_SENSOR = re.compile(r"^(?!dw9|ad58|ak73|vcm)(\w+) \d+-[0-9a-f]{4}$")
_SECTOR, _MEGABYTE, _DAY_S = 512, 1e6, 86400.0
_LEAST_FREE, _LITTLE_FREE, _FEW_DAYS = 64e6, 500e6, 90.0
# This project's own: a card of 32 GB that may be filled 500 times lasts some 20 years at 2 GB a
# day if its controller writes no more than it is told, and 2 years if it writes ten times that.
_MUCH_A_DAY = 2e9
_LEAST_UPTIME_S = 3600.0
# The firmware slows a Pi down at 80 degrees, and more at 85.
_WARM, _HOT = 75.0, 80.0
_NOW = {0: "too little voltage", 1: "a capped frequency", 2: "throttling", 3: "too much heat"}
_CABLE = "use the power supply that came with the board, and a short cable"


def camera(case: Case) -> Verdict:
    """Whether there is a camera, or what records has it."""
    capture = case.settings.capture
    if case.recorder is not None:
        return ok(f"process {case.recorder} records from it; it is left alone")
    if capture.source == "picamera2":
        if closed := _closed_heaps(case):
            return bad(
                f"{closed}: libcamera could not open any dmaHeap device",
                "see that the group video has it (ls -l /dev/dma_heap), and reboot",
            )
        sensors = _sensors(case)
        if not sensors:
            # libcamera has cameras that are no sensor on the board's bus: by USB, and its own
            # virtual one. Only the picture tells.
            wrong = case.machine.glance(capture)
            if wrong is None:
                return ok("no sensor on the board's bus: gave a picture, which nobody looked at")
            return bad(
                f"no sensor answers: {wrong}",
                "switch the device off, push the ribbon cable home at both ends, and see that "
                "/boot/firmware/config.txt says camera_auto_detect=1",
            )
        name = f"sensor {', '.join(sensors)}"
    else:
        name = str(capture.device if capture.source == "webcam" else capture.path)
    wrong = case.machine.glance(capture)
    if wrong is not None:
        return bad(f"{name}: {wrong}", "see docs/doctor.md, camera")
    return ok(f"{name}: gave a picture, which nobody looked at")


def _closed_heaps(case: Case) -> str:
    """What is wrong with the memory that libcamera's buffers come from, where it can be told."""
    folder = "/dev/dma_heap"
    names = case.machine.names(folder)
    account = service_account(case)
    if not names or any(account.may_write(case.machine.at(f"{folder}/{each}")) for each in names):
        return ""
    return f"{folder} ({', '.join(names)}) is not for {account.name}"


def _sensors(case: Case) -> list[str]:
    devices = case.machine.names("/sys/class/video4linux")
    names = (case.machine.text(f"/sys/class/video4linux/{each}/name") or "" for each in devices)
    return [match[1] for name in names if (match := _SENSOR.match(name))]


def disk(case: Case) -> Verdict:
    """Room for clips, and whether it can be written at all."""
    folder = case.settings.store.database.parent
    if not folder.is_dir():
        return bad(f"there is no folder {folder}", "make it, or mend store.database")
    found = case.machine.space(folder)
    if found.f_flag & os.ST_RDONLY:
        return bad(
            f"{folder} is mounted read-only: Linux does so when a card fails",
            "make a backup, and replace the card",
        )
    free = found.f_bavail * found.f_frsize
    a_day = _bytes_a_day(case)
    days = free / a_day if a_day else None
    text = f"{free / 1e9:.1f} GB free"
    if days is not None:
        text += f", enough for {_years(days)} of clips"
    if free < _LEAST_FREE or found.f_favail == 0 < found.f_files:
        return bad(text, "free some space: what was recorded is kept, what comes may be lost")
    if free < _LITTLE_FREE or (days is not None and days < _FEW_DAYS):
        return warn(text, "free some space, or set store.retention_days")
    return ok(text)


def _bytes_a_day(case: Case) -> float | None:
    store = case.settings.store
    try:
        db = open_for_reading(store.database, busy_timeout=store.busy_timeout_s)
    except NotFoundError:
        return None
    with closing(db), translated(store.database):
        clips = db.table("clips").count
    # Below that, what a database of no clips takes would count for the clips.
    if clips < 100:
        return None
    return store.database.stat().st_size / clips * _DAY_S / case.settings.clip.length_s


def _years(days: float) -> str:
    return f"{days:.0f} days" if days < 730 else f"{min(days / 365, 99):.0f} years"


def wear(case: Case) -> Verdict:
    """Bytes written a day to the disk of the database, by everybody, and by the recording alone."""
    folder = case.settings.store.database.parent
    device = block_device(folder, case.machine.at("/sys")) if folder.is_dir() else None
    uptime = case.machine.uptime_s()
    if device is None or uptime is None:
        return unknown(f"{folder} is on no disk that counts what is written")
    text = case.machine.text(f"/sys/block/{device.name}/stat")
    if not text:
        return unknown(f"{device.name} does not count what is written")
    life = _life_of_emmc(case, device)
    if life is not None and life.state != "ok":
        return life
    if uptime < _LEAST_UPTIME_S:
        return ok(f"{device.name}: up for {uptime / 60:.0f} min, too short to tell")
    a_day = int(text.split()[6]) * _SECTOR / uptime * _DAY_S
    words = f"{device.name}: {a_day / _MEGABYTE:.0f} MB a day since boot{_own_share(case)}"
    if a_day > _MUCH_A_DAY:
        return warn(words, "find who writes (sudo iotop -ao): a card wears out by it")
    return ok(words + (f"; {life.what}" if life else ""))


def _own_share(case: Case) -> str:
    if case.recorder is None:
        return ""
    try:
        written = case.machine.fields(f"/proc/{case.recorder}/io").get("write_bytes")
    except PermissionError:
        return ""
    age = case.machine.age_s(case.recorder)
    if written is None or age is None or age < _LEAST_UPTIME_S:
        return ""
    return f", {int(written) / age * _DAY_S / _MEGABYTE:.0f} MB of it by the recording"


def _life_of_emmc(case: Case, device: Path) -> Verdict | None:
    """What eMMC says of itself (JEDEC JESD84-B51, EXT_CSD 268 and 269); cards say nothing."""
    text = case.machine.text(f"/sys/block/{device.name}/device/life_time")
    if not text:
        return None
    # In steps of 10 %; 1 is below 10 %, 11 is beyond the end.
    used = max(int(part, 16) for part in text.split())
    if used >= 10:
        return bad(f"{device.name} has used {10 * used - 10} % or more of its life", "replace it")
    if used >= 8:
        return warn(f"{device.name} has used {10 * used - 10} % of its life", "plan to replace it")
    return ok(f"less than {10 * used} % of its life used")


def clock(case: Case) -> Verdict:
    """Whether the device knows what time it is."""
    if case.clock.synchronized():
        return ok("synchronized")
    store = case.settings.store
    todo = "give it a network now and then, or set it and say `edge-fea clock confirm`"
    try:
        db = open_for_reading(store.database, busy_timeout=store.busy_timeout_s)
    except NotFoundError:
        return warn("not synchronized since boot", todo)
    with closing(db), translated(store.database):
        moments = Moments(db)
        behind = moments.clock(case.clock, case.boot).behind().total_seconds()
        confirmed = moments.zero(case.boot) is not None
        doubtful = moments.doubtful()
    if confirmed:
        return ok("not synchronized, but confirmed by a person in this boot")
    if behind > 0:
        return bad(
            f"{behind / 3600:.1f} h behind what was recorded before this boot, {doubtful} clips "
            "with a doubtful time",
            todo,
        )
    if case.machine.names("/sys/class/rtc"):
        return warn(
            f"not synchronized since boot, {doubtful} clips with a doubtful time; there is a "
            "battery clock",
            "compare the time with a watch, and say `edge-fea clock confirm`",
        )
    return warn(f"not synchronized since boot, {doubtful} clips with a doubtful time", todo)


def zone(case: Case) -> Verdict:
    """Which zone hours and days are counted in."""
    own, machine = case.settings.device.time_zone, system_zone()
    if not own and machine == "Etc/UTC":
        return warn(
            "hours and days are counted in UTC",
            "set device.time_zone, or the machine's: sudo timedatectl set-timezone Europe/Berlin",
        )
    return ok(f"{own} (device.time_zone)" if own else f"{machine} (the machine's)")


def temperature(case: Case) -> Verdict:
    """How hot the processor is."""
    text = case.machine.text("/sys/class/thermal/thermal_zone0/temp")
    if not text:
        return unknown("this machine has no thermometer")
    degrees = int(text) / 1000
    if degrees >= _HOT:
        return bad(f"{degrees:.0f} °C: it is slowed down", "give it air, or a heat sink")
    if degrees >= _WARM:
        return warn(f"{degrees:.0f} °C, and slowed down from {_HOT:.0f}", "give it air")
    return ok(f"{degrees:.0f} °C")


def power(case: Case) -> Verdict:
    """Whether the firmware has had to slow down, now or since boot."""
    said = case.machine.ask("vcgencmd", "get_throttled")
    if said is not None and "=" in said:
        bits = int(said.partition("=")[2], 16)
        now = [text for bit, text in _NOW.items() if bits & 1 << bit]
        before = [text for bit, text in _NOW.items() if bits & 1 << bit + 16]
        if now:
            return bad(f"now: {', '.join(now)}", _CABLE)
        if before:
            return warn(f"since boot: {', '.join(before)}", _CABLE)
        return ok("enough, and no throttling since boot")
    alarm = _voltage_alarm(case)
    if alarm is None:
        return unknown("this machine does not tell; only a Raspberry Pi does")
    return bad("now: too little voltage", _CABLE) if alarm else ok("enough voltage")


def _voltage_alarm(case: Case) -> bool | None:
    for name in case.machine.names("/sys/class/hwmon"):
        if case.machine.text(f"/sys/class/hwmon/{name}/name") == "rpi_volt":
            return case.machine.text(f"/sys/class/hwmon/{name}/in0_lcrit_alarm") == "1"
    return None
