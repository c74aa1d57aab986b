"""The doctor, its weekly unit and the daily backup under a real systemd, beside a real service."""

import json
import re
from collections.abc import Iterator

import pytest

from edge_fea.capture.demo import DemoSource, Scene
from edge_fea.device.doctor.checks import CHECKS
from tests.conftest import write_video
from tests.system.box import EDGE_FEA, UNITS, Box

pytestmark = pytest.mark.appliance

SETTINGS = """
[capture]
source = "video"
path = "/opt/film.avi"
[clip]
checkpoint_s = 1
[device]
id = "efea-box"
[backup]
folder = "/mnt/stick"
keep = 2
"""
OWN = ("edge-fea-backup", "edge-fea-selfcheck")


@pytest.fixture(scope="module")
def box(tmp_path_factory: pytest.TempPathFactory, stage: DemoSource) -> Iterator[Box]:
    folder = tmp_path_factory.mktemp("box")
    film = write_video(folder / "film.avi", stage, [Scene("valid", 300)], rate=4)
    disk = folder / "disk"
    disk.mkdir()
    box = Box(disk)
    try:
        box.copy(film, "/opt/film.avi")
        box.write("/etc/edge-fea/edge-fea.toml", SETTINGS)
        units = ["edge-fea.service", *(f"{name}.{kind}" for name in OWN for kind in KINDS)]
        for name in units:
            box.write(f"/etc/systemd/system/{name}", (UNITS / name).read_text())
        # A container gets an id of the boot of its own, which only its first /proc shows.
        for name in ("edge-fea", *OWN):
            box.write(
                f"/etc/systemd/system/{name}.service.d/test.conf",
                "[Service]\nProtectProc=default\n",
            )
        box.prepare("systemctl enable edge-fea.service edge-fea-backup.timer; mkdir /mnt/stick")
        box.boot()
        box.until(lambda: box.show("ActiveState") == "active", "the service does not start")
        yield box
    finally:
        box.close()


KINDS = ("service", "timer")


def findings(box: Box, *options: str) -> dict[str, dict[str, str]]:
    _, said = box.try_run(EDGE_FEA, "doctor", "--json", *options)
    # What failed is told after the JSON, on stderr.
    report = json.loads(said[: said.rindex("}") + 1])
    return {finding["name"]: finding for finding in report["findings"]}


def test_the_running_service_is_proved_to_keep_no_picture(box: Box) -> None:
    found = findings(box, "--privacy")
    for name in ("process", "files", "memory maps", "sockets", "confinement", "core dumps"):
        assert found[name]["state"] == "ok", found[name]
    assert "no network but the loopback in sight" in found["sockets"]["what"]
    # It has run for seconds only.
    assert found["bytes written"]["state"] == "unknown"


def test_the_services_user_can_prove_as_much(box: Box) -> None:
    code, said = box.try_run("runuser", "-u", "edge-fea", "--", EDGE_FEA, "doctor", "--privacy")
    assert code == 71
    assert said.endswith("not proved: bytes written\n"), said


def test_a_service_whose_sandbox_was_opened_is_found_out(box: Box) -> None:
    box.write(
        "/etc/systemd/system/edge-fea.service.d/open.conf",
        "[Service]\nPrivateNetwork=no\nRestrictAddressFamilies=AF_UNIX AF_INET\n"
        "LimitCORE=infinity\n",
    )
    box.run("systemctl", "daemon-reload")
    box.run("systemctl", "restart", "edge-fea")
    found = findings(box, "--privacy")
    assert found["confinement"]["state"] == found["core dumps"]["state"] == "bad", found
    box.prepare("rm /etc/systemd/system/edge-fea.service.d/open.conf")
    box.run("systemctl", "daemon-reload")
    box.run("systemctl", "restart", "edge-fea")


def test_the_self_check_says_all_in_the_journal(box: Box) -> None:
    box.until(lambda: box.show("ActiveState") == "active", "the service does not start")
    code, _ = box.try_run("systemctl", "start", "edge-fea-selfcheck.service")
    said = box.run("journalctl", "-u", "edge-fea-selfcheck", "-o", "cat", "--no-pager")
    shown = {line[4:].split("  ")[0]: line[:2] for line in said.splitlines() if line[2:4] == "  "}
    assert {check.name for check in CHECKS} <= set(shown), said
    for name in ("units", "last clip", "camera", "network", "runtime", "database", "permissions"):
        assert shown[name] == "OK", said
    assert shown["sandbox"] == "OK", said
    # No backup was made yet, though a folder is set: that is a failure, and shows as one.
    assert shown["backup"] == "XX"
    assert code != 0
    assert box.show("Result", "edge-fea-selfcheck.service") == "exit-code"
    assert box.show("ExecMainStatus", "edge-fea-selfcheck.service") == "71"


def test_the_backup_unit_writes_to_the_stick(box: Box) -> None:
    assert box.show("ActiveState", "edge-fea-backup.timer") == "active"
    # A stick: another file system, which belongs to the service's user.
    box.run("mount", "-t", "tmpfs", "-o", "uid=edge-fea,mode=0700", "none", "/mnt/stick")
    for _ in range(3):
        box.run("systemctl", "start", "edge-fea-backup.service")
    names = box.run("ls", "/mnt/stick").split()
    assert len(names) == 2
    assert all(re.fullmatch(r"edge-fea-efea-box-\d{8}T\d{6}Z(-\d)?", name) for name in names)
    said = box.run("journalctl", "-u", "edge-fea-backup", "-o", "cat", "--no-pager")
    assert "checked" in said
    assert "same disk" not in said
    assert findings(box)["backup"]["state"] == "ok"


def test_a_backup_comes_back_under_the_service(box: Box) -> None:
    name = box.run("ls", "/mnt/stick").split()[-1]
    restore = [EDGE_FEA, "restore", "--yes", f"/mnt/stick/{name}"]
    code, said = box.try_run(*restore)
    assert (code, "is recording into" in said) == (75, True), said
    box.run("systemctl", "stop", "edge-fea")
    assert "restored; the former database is" in box.run(*restore)
    box.run("systemctl", "start", "edge-fea")
    box.until(lambda: box.show("ActiveState") == "active", box.journal())
    found = findings(box)
    assert found["permissions"]["state"] == found["database"]["state"] == "ok", found


def test_a_stick_that_is_not_there_fails_the_unit(box: Box) -> None:
    box.run("umount", "/mnt/stick")
    box.run("rmdir", "/mnt/stick")
    assert box.try_run("systemctl", "start", "edge-fea-backup.service")[0] != 0
    assert box.show("ExecMainStatus", "edge-fea-backup.service") == "73"
    found = findings(box)
    assert found["units"]["what"] == "edge-fea-backup.service: failed"
    assert found["backup"]["state"] == "bad"


def test_the_timers_wait_for_their_day(box: Box) -> None:
    timers = box.run("systemctl", "list-timers", "--all", "--no-pager")
    assert "edge-fea-backup.timer" in timers
