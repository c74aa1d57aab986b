"""Checks of the running process: no picture leaves it, by file, socket, core dump or swap."""

import re
from collections import Counter
from pathlib import Path
from typing import Final

from edge_fea.device.doctor.findings import UNIT, Case, Verdict, bad, ok, unknown, warn
from edge_fea.device.doctor.process_view import (
    DEVICES,
    NO_FILE,
    allowed_files,
    inodes,
    interfaces,
    lines_of,
    opened_files,
)

NOT_PROVED: Final = (
    "that nothing was written between the looks: a test traces every system call instead "
    "(tests/system/test_no_pictures_on_disk.py)",
    "that the program that runs is the one that was released: compare `edge-fea --version` and "
    "the package's hashes",
    "what root, the kernel and the camera's firmware do: they see every picture",
)
"""What looking at a running process cannot show."""

_INTERNET = ("tcp", "tcp6", "udp", "udp6", "udplite", "udplite6", "raw", "raw6", "packet", "icmp")
_LOCAL = ("unix", "netlink")
_START = "start it: sudo systemctl start edge-fea"
_REPORT = "stop it (sudo systemctl stop edge-fea), keep this output, and report it"
# Opening the database writes too, once.
_LEAST_AGE_S = 600.0


def process(case: Case) -> Verdict:
    """Which process records, and whether it is alone."""
    pid = case.recorder
    if pid is None:
        return unknown("nothing records now, so there is nothing to look at", _START)
    main = int(case.unit.get("MainPID") or 0)
    told = case.machine.fields(f"/proc/{pid}/status")
    if not told:
        return unknown(f"process {pid} cannot be seen from here", "ask as root, on the device")
    tracer = int(told.get("TracerPid", "0"))
    if tracer:
        return bad(f"process {tracer} traces process {pid}, and can read its memory", _REPORT)
    others = case.machine.children(pid)
    if others:
        return warn(
            f"process {pid} has started others ({', '.join(map(str, others))}), which are looked "
            "at too",
            "edge-fea starts none",
        )
    if main and main != pid:
        return bad(f"process {pid} records, but the service is process {main}", _REPORT)
    return ok(f"process {pid} records, and has started no other; nobody traces it")


def files(case: Case) -> Verdict:
    """What is open for writing, over several looks."""
    pids = _pids(case)
    if not pids:
        return _nothing_runs()
    allowed = allowed_files(case)
    seen: set[str] = set()
    wrong: set[str] = set()
    output: set[str] = set()
    for look in range(case.looks):
        if look:
            case.clock.sleep(case.pause_s)
        for opened in (each for pid in pids for each in opened_files(case, pid)):
            if not (opened.writable and opened.is_storage):
                continue
            if allowed.fullmatch(opened.target):
                seen.add(Path(opened.target).name)
            elif opened.number in ("1", "2"):
                output.add(opened.target)
            else:
                wrong.add(opened.target)
    if wrong:
        return bad(f"open for writing: {', '.join(sorted(wrong))}", _REPORT)
    held = ", ".join(sorted(seen)) or "nothing"
    looks = f"{case.looks} looks in {(case.looks - 1) * case.pause_s:.0f} s"
    if output:
        return warn(
            f"its messages go to {', '.join(sorted(output))}; else open for writing: {held} "
            f"({looks})",
            "let them go to the journal",
        )
    return ok(f"open for writing: {held}; nothing else ({looks})")


def mappings(case: Case) -> Verdict:
    """Which files are written to through memory."""
    pids = _pids(case)
    if not pids:
        return _nothing_runs()
    allowed, wrong, cameras = allowed_files(case), set(), 0
    for pid in pids:
        for line in (case.machine.text(f"/proc/{pid}/maps") or "").splitlines():
            words = line.split(maxsplit=5)
            if len(words) < 6 or "w" not in words[1] or words[1][3] != "s":
                continue
            name = words[5]
            if name.startswith(NO_FILE) or DEVICES.match(name):
                cameras += 1
            elif name.startswith("/") and not allowed.fullmatch(name):
                wrong.add(name)
    if wrong:
        return bad(f"written through memory: {', '.join(sorted(wrong))}", _REPORT)
    return ok(f"no file but the database's own index; {cameras} buffers of the camera")


def written(case: Case) -> Verdict:
    """How much the process has ever written, beside what it has seen."""
    pid = case.recorder
    if pid is None:
        return _nothing_runs()
    told = case.machine.fields(f"/proc/{pid}/io")
    age = case.machine.age_s(pid)
    if "wchar" not in told or age is None:
        return unknown("the kernel does not count it")
    if age < _LEAST_AGE_S:
        return unknown(f"it has run for {age / 60:.0f} min only", "ask again in ten minutes")
    # wchar: all that was handed to write(), whatever became of it; write_bytes: what went to disks,
    # through memory too.
    total = max(int(told["wchar"]), int(told["write_bytes"]))
    frames = age * case.settings.capture.frame_rate
    face = case.settings.vision.quality.minimum_face**2
    text = (
        f"{total / 1e6:.1f} MB in {age / 3600:.1f} h, to files, pipes and disks together: "
        f"{total / frames:.0f} bytes for each frame due; the smallest face it reads has {face}"
    )
    if total / frames > face:
        return bad(text, _REPORT)
    return ok(text)


def sockets(case: Case) -> Verdict:
    """Which sockets are open, by the kernel's tables of the network that the process sees."""
    pids = _pids(case)
    if not pids:
        return _nothing_runs()
    found: Counter[str] = Counter()
    for pid in pids:
        held = {
            match[1]
            for each in opened_files(case, pid)
            if (match := re.fullmatch(r"socket:\[(\d+)\]", each.target))
        }
        for kind in (*_INTERNET, *_LOCAL):
            known = held & set(inodes(case, pid, kind))
            found[kind] += len(known)
            held -= known
        found["of an unknown kind"] += len(held)
    found = +found
    foreign = {kind: count for kind, count in found.items() if kind not in _LOCAL}
    if foreign:
        listed = ", ".join(f"{count} {kind}" for kind, count in foreign.items())
        return bad(f"sockets that can leave the machine: {listed}", _REPORT)
    local = ", ".join(f"{count} {kind}" for kind, count in found.items()) or "none"
    links = [name for name in interfaces(case, pids[0]) if name != "lo"]
    if links:
        return ok(f"none that leaves the machine ({local}); it could see {', '.join(links)}")
    return ok(f"none that leaves the machine ({local}), and no network but the loopback in sight")


def confinement(case: Case) -> Verdict:
    """What the service manager and the kernel keep it from."""
    pid, unit = case.recorder, case.unit
    if pid is None:
        return _nothing_runs()
    told = case.machine.fields(f"/proc/{pid}/status")
    if int(unit.get("MainPID") or 0) != pid:
        return warn(
            f"process {pid} was started by hand, and is not confined",
            "let the service record: sudo systemctl start edge-fea",
        )
    families = unit.get("RestrictAddressFamilies", "")
    reaches = families.startswith("~") or "AF_INET" in families or not families
    missing = [
        words
        for words, holds in (
            ("a network of its own (PrivateNetwork)", unit.get("PrivateNetwork") == "yes"),
            ("no internet sockets (RestrictAddressFamilies)", not reaches),
            ("a file system it cannot write (ProtectSystem)", _is_strict(unit)),
            ("no new rights (NoNewPrivs)", told.get("NoNewPrivs") == "1"),
            ("no capabilities (CapEff)", int(told.get("CapEff", "1"), 16) == 0),
            ("a filter of system calls (Seccomp)", told.get("Seccomp") == "2"),
        )
        if not holds
    ]
    if missing:
        return bad(
            f"not confined by: {', '.join(missing)}",
            f"compare with the unit that ships: systemctl cat {UNIT}",
        )
    return ok("no network, no capabilities, a read-only system, filtered system calls")


def core_dumps(case: Case) -> Verdict:
    """Whether a crash would write the memory, with the last picture in it, to a file."""
    pid = case.recorder
    if pid is None:
        return _nothing_runs()
    lines = (case.machine.text(f"/proc/{pid}/limits") or "").splitlines()
    limit = next((line.split()[4] for line in lines if line.startswith("Max core file")), None)
    if limit is None:
        return unknown("the kernel does not tell the limit")
    pattern = case.machine.text("/proc/sys/kernel/core_pattern") or ""
    if limit != "0":
        return bad(f"a crash writes its memory to a file (limit {limit})", "set LimitCORE=0")
    # A program that takes cores is started whatever the limit is; systemd's honours it.
    if pattern.startswith("|") and "systemd-coredump" not in pattern:
        return warn(
            f"the limit is 0, but a crash is handed to {pattern[1:].split()[0]}",
            "sudo sysctl kernel.core_pattern=core",
        )
    return ok("none: the limit is 0")


def swap(case: Case) -> Verdict:
    """Whether memory, with a picture in it, can be written to a disk."""
    areas = [line.split()[0] for line in lines_of(case, "/proc/swaps")[1:]]
    disks = [each for each in areas if not _is_memory(case, each)]
    if not disks:
        return ok("in memory only (zram)" if areas else "none")
    pid = case.recorder
    if pid is None:
        return _nothing_runs()
    swapped = case.machine.fields(f"/proc/{pid}/status").get("VmSwap", "0 kB")
    if int(swapped.split()[0]):
        return bad(f"{swapped} of it are in {', '.join(disks)} now", _no_swap())
    group = case.unit.get("ControlGroup")
    limit = case.machine.text(f"/sys/fs/cgroup{group}/memory.swap.max") if group else None
    if limit == "0":
        return ok(f"there is {', '.join(disks)}, but none of it for the recording")
    why = "the kernel does not enforce limits" if limit is None else f"limit {limit}"
    return bad(f"its memory can go to {', '.join(disks)} ({why})", _no_swap())


def _no_swap() -> str:
    return "take the swap file away, or have it in memory (docs/doctor.md, swap)"


def _is_memory(case: Case, area: str) -> bool:
    name = Path(area).name
    if not name.startswith("zram"):
        return False
    # zram can be told to write what it seldom needs to a disk.
    return case.machine.text(f"/sys/block/{name}/backing_dev") in (None, "none")


def _is_strict(unit: dict[str, str]) -> bool:
    return unit.get("ProtectSystem") == "strict" and unit.get("ProtectHome") not in ("no", None)


def _nothing_runs() -> Verdict:
    return unknown("nothing records now", _START)


def _pids(case: Case) -> list[int]:
    return [] if case.recorder is None else [case.recorder, *case.machine.children(case.recorder)]
