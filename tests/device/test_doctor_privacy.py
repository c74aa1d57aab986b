"""The doctor on the running process: files, maps, bytes, sockets, confinement, cores, swap."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from edge_fea.device.doctor import privacy
from edge_fea.device.doctor.checks import PRIVACY, examine
from edge_fea.device.doctor.findings import Case, State, Verdict
from tests.device.doctor_case import PID, Made

HERE = f"/proc/{PID}"
NET = "Num RefCount Protocol Flags Type St Inode Path"
UNIX = f"{NET}\n0000: 00000003 00000000 00000000 0001 03 901\n0001: 3 0 0 2 1 902"
READ, WRITE, BOTH = "0100000", "0100001", "02100002"


@pytest.fixture
def made(tmp_path: Path) -> Made:
    """A service as it should be."""
    device = Made(tmp_path)
    device.hold_lock()
    device.unit()
    device.put(
        f"{HERE}/status",
        "Name:\tedge-fea\nPPid:\t1\nTracerPid:\t0\nVmSwap:\t0 kB\nCapEff:\t0000000000000000\n"
        "NoNewPrivs:\t1\nSeccomp:\t2\n",
    )
    device.put("/proc/1/status", "Name:\tsystemd\nPPid:\t0\n")
    device.put("/proc/uptime", "90000.00 1.0")
    # Ten hours ago.
    device.put(f"{HERE}/stat", f"{PID} (edge-fea run) S {' '.join(['0'] * 18)} 5400000 0")
    device.put(f"{HERE}/io", "rchar: 1\nwchar: 20000000\nwrite_bytes: 24000000\n")
    device.put(f"{HERE}/net/unix", UNIX)
    device.put(f"{HERE}/net/dev", "Inter-| Receive\n face |bytes\n    lo: 0 0\n")
    device.put(
        f"{HERE}/limits",
        "Limit          Soft Limit  Hard Limit  Units\n"
        "Max core file size        0                    0                    bytes\n",
    )
    device.put("/proc/sys/kernel/core_pattern", "core")
    device.put("/proc/swaps", "Filename\tType\tSize\tUsed\tPriority\n")
    device.put(f"{HERE}/maps", "")
    opened(device, 0, "/dev/null", READ)
    opened(device, 1, "socket:[901]", BOTH)
    opened(device, 2, "socket:[901]", BOTH)
    opened(device, 3, "socket:[902]", BOTH)
    for number, end in enumerate(("", "-wal", "-shm", ".lock"), 4):
        opened(device, number, f"{device.database}{end}", BOTH)
    opened(device, 8, "/dev/video0", BOTH)
    opened(device, 9, "/dmabuf:", BOTH)
    opened(device, 10, "anon_inode:[eventpoll]", BOTH)
    opened(device, 11, "/sys/devices/platform/leds/leds/ACT/brightness", WRITE)
    opened(device, 12, "/opt/edge-fea/network.tflite", READ)
    return device


def opened(made: Made, number: int, target: str, flags: str, pid: int = PID) -> None:
    made.link(f"/proc/{pid}/fd/{number}", target)
    made.put(f"/proc/{pid}/fdinfo/{number}", f"pos:\t0\nflags:\t{flags}\nmnt_id:\t9\n")


def child(made: Made, pid: int) -> None:
    made.put(f"/proc/{pid}/status", f"Name:\tsh\nPPid:\t{PID}\n")
    (made.root / f"proc/{pid}/fd").mkdir(parents=True)


def test_a_service_as_it_should_be_proves_all(made: Made) -> None:
    findings = examine(made.case(), PRIVACY)
    assert {finding.name: finding.state for finding in findings} == {
        check.name: State.OK for check in PRIVACY
    }, findings


@pytest.mark.parametrize("check", PRIVACY[:-1], ids=lambda check: check.name)
def test_without_a_recording_nothing_is_proved(tmp_path: Path, check) -> None:
    assert check.examine(Made(tmp_path).case()).state is State.UNKNOWN


def test_a_process_that_cannot_be_seen_proves_nothing(tmp_path: Path) -> None:
    device = Made(tmp_path)
    device.hold_lock()
    assert privacy.process(device.case()).state is State.UNKNOWN


def test_a_tracer_can_read_the_pictures(made: Made) -> None:
    status = made.root / f"proc/{PID}/status"
    status.write_text(status.read_text().replace("TracerPid:\t0", "TracerPid:\t4711"))
    told = privacy.process(made.case())
    assert told.state is State.BAD
    assert told.what.startswith("process 4711 traces")


def test_a_recording_beside_the_service_is_found(made: Made) -> None:
    made.unit(MainPID="701")
    assert privacy.process(made.case()).state is State.BAD


def test_what_it_has_started_is_looked_at_too(made: Made) -> None:
    child(made, 710)
    opened(made, 3, "/tmp/frames.raw", WRITE, pid=710)
    assert privacy.process(made.case()).state is State.WARN
    assert privacy.files(made.case()).what == "open for writing: /tmp/frames.raw"


def test_files_are_looked_at_several_times(made: Made) -> None:
    told = privacy.files(made.case())
    assert told == Verdict(
        State.OK,
        "open for writing: brightness, edge-fea.db, edge-fea.db-shm, edge-fea.db-wal, "
        "edge-fea.db.lock; nothing else (8 looks in 2 s)",
    )
    assert made.clock.slept == [0.25] * 7


@pytest.mark.parametrize(
    "target",
    [
        "/mnt/patient.jpg",
        "/tmp/tmpabc (deleted)",
        "/dev/shm/frames",
        "/dev/mmcblk0p2",
        "/run/user/1000/x",
        "/var/lib/edge-fea/edge-fea.db.jpg",
    ],
)
@pytest.mark.parametrize("flags", [WRITE, BOTH, "0102001"])
def test_any_other_file_open_for_writing_fails(made: Made, target: str, flags: str) -> None:
    opened(made, 20, target, flags)
    assert privacy.files(made.case()) == Verdict(
        State.BAD, f"open for writing: {target}", privacy._REPORT
    )


def test_a_file_that_is_open_at_one_look_only_is_seen(made: Made) -> None:
    case = made.case()
    looks = iter(range(100))

    def later(_: float) -> None:
        if next(looks) == 2:
            opened(made, 20, "/mnt/patient.jpg", WRITE)
        elif (link := made.root / f"proc/{PID}/fd/20").is_symlink():
            link.unlink()

    made.clock.sleep = later  # type: ignore[method-assign]
    assert privacy.files(case).state is State.BAD


@pytest.mark.parametrize(
    "name",
    [
        "audit/edge-fea-audit.db",
        "audit/edge-fea-audit.db-journal",
        "edge-fea.db.pause",
        "starts.json",
        ".starts.json.700.partial",
        ".edge-fea.db.pause.700.partial",
    ],
)
def test_notes_of_its_own_may_be_open(made: Made, name: str) -> None:
    opened(made, 20, str(made.database.parent / name), WRITE)
    assert privacy.files(made.case()).state is State.OK


def test_a_pipe_in_a_folder_is_no_file(made: Made) -> None:
    fifo = made.folder / ".lgd-nfy0"
    os.mkfifo(fifo)
    opened(made, 20, str(fifo), WRITE)
    assert privacy.files(made.case()).state is State.OK


def test_messages_that_go_to_a_file_are_warned_of(made: Made) -> None:
    (made.root / f"proc/{PID}/fd/2").unlink()
    opened(made, 2, "/var/log/edge-fea.log", WRITE)
    told = privacy.files(made.case())
    assert told.state is State.WARN
    assert "its messages go to /var/log/edge-fea.log" in told.what


def test_who_may_not_look_is_told_so(made: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied", f"/proc/{PID}/fd")

    monkeypatch.setattr("edge_fea.device.doctor.machine.os.listdir", refuse)
    findings = {finding.name: finding for finding in examine(made.case(), PRIVACY)}
    assert findings["files"].state is State.UNKNOWN
    assert "sudo" in findings["files"].todo


@pytest.mark.parametrize(
    ("line", "state"),
    [
        ("7f00-7f01 rw-s 00000000 fe:00 9 {database}-shm", State.OK),
        ("7f00-7f01 rw-s 00000000 00:0d 9 /dev/video0", State.OK),
        ("7f00-7f01 rw-s 00000000 00:0d 9 /dmabuf:", State.OK),
        ("7f00-7f01 rw-s 00000000 00:01 9 /memfd:libcamera (deleted)", State.OK),
        ("7f00-7f01 rw-p 00000000 fe:00 9 /usr/lib/libc.so.6", State.OK),
        ("7f00-7f01 r--s 00000000 fe:00 9 /usr/share/cache", State.OK),
        ("7f00-7f01 rw-p 00000000 00:00 0", State.OK),
        ("7f00-7f01 rw-s 00000000 fe:00 9 /mnt/frames.raw", State.BAD),
        ("7f00-7f01 rw-s 00000000 00:18 9 /dev/shm/frames", State.BAD),
    ],
)
def test_files_written_through_memory_are_found(made: Made, line: str, state: State) -> None:
    made.put(f"{HERE}/maps", line.format(database=made.database) + "\n")
    assert privacy.mappings(made.case()).state is state


def test_what_was_written_is_compared_with_what_was_seen(made: Made) -> None:
    # 24 MB in ten hours at 4 frames a second.
    told = privacy.written(made.case())
    assert told.state is State.OK
    assert "24.0 MB in 10.0 h" in told.what
    assert "167 bytes for each frame due; the smallest face it reads has 4096" in told.what


def test_a_process_that_writes_as_much_as_faces_would_fails(made: Made) -> None:
    made.put(f"{HERE}/io", "wchar: 900000000\nwrite_bytes: 0\n")
    assert privacy.written(made.case()).state is State.BAD


def test_a_process_that_has_just_begun_proves_nothing_by_its_bytes(made: Made) -> None:
    made.put("/proc/uptime", "54060.00 1.0")
    assert privacy.written(made.case()) == Verdict(
        State.UNKNOWN, "it has run for 1 min only", "ask again in ten minutes"
    )


def test_a_kernel_that_does_not_count_bytes_proves_nothing(made: Made) -> None:
    made.put(f"{HERE}/io", "rchar: 1\n")
    assert privacy.written(made.case()).state is State.UNKNOWN


def test_unix_sockets_cannot_leave_the_machine(made: Made) -> None:
    told = privacy.sockets(made.case())
    assert told.what == (
        "none that leaves the machine (2 unix), and no network but the loopback in sight"
    )


def test_a_network_in_sight_is_told(made: Made) -> None:
    made.put(f"{HERE}/net/dev", "Inter-|\n face |\n    lo: 0\n  eth0: 0\n")
    assert privacy.sockets(made.case()).what.endswith("it could see eth0")


TCP = "0: 0100007F:9655 00000000:0000 0A 00000000:00000000 00:00000000 00000000 0 0 {} 1"
NETLINK = "00000000 15 0 00000001 0 0 0 2 0 {}"
PACKET = "ffff8800 3 3 88cc 3 1 0 0 {}"


@pytest.mark.parametrize(
    ("kind", "line", "state"),
    [
        ("netlink", NETLINK, State.OK),
        ("tcp", TCP, State.BAD),
        ("tcp6", TCP, State.BAD),
        ("udp", TCP, State.BAD),
        ("raw", TCP, State.BAD),
        ("packet", PACKET, State.BAD),
        ("nowhere", TCP, State.BAD),
    ],
)
def test_sockets_are_told_by_their_kind(made: Made, kind: str, line: str, state: State) -> None:
    opened(made, 20, "socket:[999]", BOTH)
    made.put(f"{HERE}/net/{kind}", f"head\n{line.format(999)}\n")
    assert privacy.sockets(made.case()).state is state


def test_sockets_of_others_in_the_same_network_do_not_count(made: Made) -> None:
    made.put(f"{HERE}/net/tcp", f"head\n{TCP.format(12345)}\n")
    assert privacy.sockets(made.case()).state is State.OK


@pytest.mark.parametrize(
    ("properties", "words"),
    [
        ({"PrivateNetwork": "no"}, "PrivateNetwork"),
        ({"RestrictAddressFamilies": "AF_UNIX AF_INET"}, "RestrictAddressFamilies"),
        ({"RestrictAddressFamilies": "~AF_PACKET"}, "RestrictAddressFamilies"),
        ({"RestrictAddressFamilies": ""}, "RestrictAddressFamilies"),
        ({"ProtectSystem": "full"}, "ProtectSystem"),
        ({"ProtectHome": "no"}, "ProtectSystem"),
    ],
)
def test_a_sandbox_that_was_opened_is_found(
    made: Made, properties: dict[str, str], words: str
) -> None:
    made.unit(**properties)
    told = privacy.confinement(made.case())
    assert told.state is State.BAD
    assert words in told.what


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        ("NoNewPrivs:\t1", "NoNewPrivs:\t0", "NoNewPrivs"),
        ("Seccomp:\t2", "Seccomp:\t0", "Seccomp"),
        ("CapEff:\t0000000000000000", "CapEff:\t000001ffffffffff", "CapEff"),
    ],
)
def test_what_the_kernel_says_counts_too(made: Made, before: str, after: str, words: str) -> None:
    status = made.root / f"proc/{PID}/status"
    status.write_text(status.read_text().replace(before, after))
    told = privacy.confinement(made.case())
    assert (told.state, words in told.what) == (State.BAD, True)


def test_a_process_started_by_hand_is_not_confined(made: Made) -> None:
    made.unit(MainPID="0")
    assert privacy.confinement(made.case()).state is State.WARN


@pytest.mark.parametrize(
    ("limit", "pattern", "state"),
    [
        ("0", "core", State.OK),
        ("0", "|/usr/lib/systemd/systemd-coredump %P %u", State.OK),
        ("0", "|/usr/share/apport/apport -p%p", State.WARN),
        ("unlimited", "core", State.BAD),
    ],
)
def test_a_crash_must_not_write_the_memory(
    made: Made, limit: str, pattern: str, state: State
) -> None:
    made.put(f"{HERE}/limits", f"Max core file size   {limit}    {limit}    bytes\n")
    made.put("/proc/sys/kernel/core_pattern", pattern)
    assert privacy.core_dumps(made.case()).state is state


def swaps(made: Made, *areas: str) -> Callable[[], Verdict]:
    lines = [f"{area} partition 500000 0 -2" for area in areas]
    made.put("/proc/swaps", "\n".join(["Filename Type Size Used Priority", *lines]))
    return lambda: privacy.swap(made.case())


def test_swap_in_memory_is_well(made: Made) -> None:
    ask = swaps(made, "/dev/zram0")
    made.put("/sys/block/zram0/backing_dev", "none")
    assert ask() == Verdict(State.OK, "in memory only (zram)")


def test_swap_in_memory_that_spills_to_a_disk_is_one_on_a_disk(made: Made) -> None:
    ask = swaps(made, "/dev/zram0")
    made.put("/sys/block/zram0/backing_dev", "/dev/loop0")
    assert ask().state is State.BAD


def test_a_swap_file_that_the_service_may_not_use_is_well(made: Made) -> None:
    ask = swaps(made, "/var/swap")
    made.put("/sys/fs/cgroup/system.slice/edge-fea.service/memory.swap.max", "0\n")
    assert ask().state is State.OK


@pytest.mark.parametrize("limit", [None, "max"])
def test_a_swap_file_that_it_may_use_fails(made: Made, limit: str | None) -> None:
    ask = swaps(made, "/var/swap")
    if limit:
        made.put("/sys/fs/cgroup/system.slice/edge-fea.service/memory.swap.max", limit)
    told = ask()
    assert told.state is State.BAD
    assert told.what.startswith("its memory can go to /var/swap")


def test_memory_that_is_in_swap_now_fails(made: Made) -> None:
    ask = swaps(made, "/var/swap")
    made.put("/sys/fs/cgroup/system.slice/edge-fea.service/memory.swap.max", "0")
    status = made.root / f"proc/{PID}/status"
    status.write_text(status.read_text().replace("VmSwap:\t0 kB", "VmSwap:\t88 kB"))
    assert ask().what.startswith("88 kB of it are in /var/swap now")


def test_swap_on_a_disk_without_a_recording_proves_nothing(tmp_path: Path) -> None:
    device = Made(tmp_path)
    assert swaps(device, "/var/swap")().state is State.UNKNOWN


def test_a_look_costs_seconds_at_most() -> None:
    assert Case.looks * Case.pause_s <= 2


def test_the_recording_is_found_where_locks_and_files_name_another_device(made: Made) -> None:
    # As on overlayfs and btrfs.
    made.put("/proc/locks", f"1: FLOCK  ADVISORY  WRITE {PID} 00:99:12345 0 EOF\n")
    assert made.case().recorder == PID


def test_whoever_locks_something_else_does_not_record(made: Made) -> None:
    made.put("/proc/locks", "1: FLOCK  ADVISORY  WRITE 5 00:99:12345 0 EOF\n")
    assert made.case().recorder is None


def test_a_socket_that_the_service_manager_opened_is_of_the_machines_network(made: Made) -> None:
    opened(made, 20, "socket:[777]", BOTH)
    made.put("/proc/1/net/unix", f"{NET}\n0000: 3 0 0 1 3 777 /run/systemd/journal/stdout")
    assert privacy.sockets(made.case()).state is State.OK
