"""The service under a real systemd: start, ready, hang, restart, stop, pulled plug, reboot.

One container is used by all tests, in the order of this file: a boot is the slowest part.
"""

import json
import re
import time
from collections.abc import Iterator

import pytest

from edge_fea.capture.demo import DemoSource, Scene
from tests.conftest import write_video
from tests.system.box import UNITS, Box

pytestmark = pytest.mark.appliance

DATABASE = "/var/lib/edge-fea/edge-fea.db"
# Short time-outs, so that the watchdog need not wait for them.
SETTINGS = """
[capture]
source = "video"
path = "/opt/film.avi"
timeout_s = 1.0
[clip]
development = true
length_s = 300
checkpoint_s = 1
[store]
busy_timeout_s = 0.0
"""
NO_CAMERA = SETTINGS.replace('"video"', '"webcam"').replace("path =", 'device = "/dev/video7"\n#')

# Less patience than the unit's. And a sandbox has a /proc of its own, which in a container shows
# the host's id of the boot; a Pi has another one each time, and so has the container's systemd.
DROP_IN = """
[Service]
WatchdogSec=5
TimeoutAbortSec=1
RestartSec=1
BindReadOnlyPaths=/run/boot:/proc/sys/kernel/random/boot_id
"""


@pytest.fixture(scope="module")
def box(tmp_path_factory: pytest.TempPathFactory, stage: DemoSource) -> Iterator[Box]:
    folder = tmp_path_factory.mktemp("box")
    film = write_video(folder / "film.avi", stage, [Scene("valid", 120)], rate=4)
    disk = folder / "disk"
    disk.mkdir()
    box = Box(disk)
    try:
        box.copy(film, "/opt/film.avi")
        box.write("/etc/edge-fea/edge-fea.toml", SETTINGS)
        for name in ("edge-fea.service", "edge-fea-reboot.path", "edge-fea-reboot.service"):
            box.write(f"/etc/systemd/system/{name}", (UNITS / name).read_text())
        box.write("/etc/systemd/system/edge-fea.service.d/test.conf", DROP_IN)
        box.write("/etc/tmpfiles.d/boot.conf", "f /run/boot 0444 - - - %b\n")
        box.prepare("systemctl enable edge-fea.service edge-fea-reboot.path")
        box.boot()
        yield box
    finally:
        box.close()


def wait_until_watching(box: Box) -> int:
    """The process that watches."""
    box.until(lambda: box.show("ActiveState") == "active", box.journal())
    return int(box.show("MainPID"))


def clips(box: Box) -> list[dict[str, str]]:
    return json.loads(box.edge_fea("clips", "--running", "--format", "json"))


def is_open(clips: list[dict[str, str]]) -> bool:
    """Whether the last clip has been begun, and checkpointed."""
    return bool(clips) and clips[-1]["ended_by"] is None


def failures(box: Box) -> list[str]:
    return json.loads(box.run("cat", "/var/lib/edge-fea/starts.json"))["failures"]


def test_it_starts_at_boot_and_is_ready_with_the_first_picture(box: Box) -> None:
    wait_until_watching(box)
    journal = box.run(
        "journalctl",
        "-o",
        "cat",
        "--no-pager",
        "UNIT=edge-fea.service",
        "+",
        "_SYSTEMD_UNIT=edge-fea.service",
    )
    assert journal.index("watching video") < journal.index("Started edge-fea.service")
    assert box.show("Result") == "success"
    box.until(
        lambda: box.show("StatusText") == "it watches, and reads the face",
        box.show("StatusText"),
    )


def test_the_sandbox_holds(box: Box) -> None:
    pid = str(wait_until_watching(box))
    status = dict(re.findall(r"(\w+):\s+(.*)", box.run("cat", f"/proc/{pid}/status")))
    assert int(status["NoNewPrivs"]) == 1
    assert int(status["Seccomp"]) == 2
    assert {int(status[f"Cap{which}"], 16) for which in ("Eff", "Prm", "Bnd", "Amb")} == {0}
    assert int(status["Uid"].split()[0]) != 0
    limits = box.run("cat", f"/proc/{pid}/limits")
    assert re.search(r"Max core file size +0 +0", limits)
    assert box.run("nsenter", "-t", pid, "-n", "cat", "/proc/net/dev").count("\n") <= 3  # lo
    mounts = box.run("cat", f"/proc/{pid}/mountinfo")
    options = {line.split()[4]: line.split()[5].split(",")[0] for line in mounts.splitlines()}
    assert options["/"] == "ro"
    assert options["/var/lib/edge-fea"] == "rw"
    assert options["/run/edge-fea"] == "rw"
    assert options["/sys"] == "ro"


def test_it_pauses_through_a_restart(box: Box) -> None:
    wait_until_watching(box)
    assert "paused for another 10 min" in box.edge_fea("pause", "--for", "10m")
    box.until(lambda: box.show("StatusText").startswith("paused for another"), "no pause")
    box.run("systemctl", "restart", "edge-fea")
    box.until(lambda: box.show("StatusText").startswith("paused for another"), "the pause is lost")
    assert "not paused" in box.edge_fea("pause", "--end")
    box.until(lambda: "reads the face" in box.show("StatusText"), "the pause does not end")
    assert "pause" in [clip["ended_by"] for clip in clips(box)]


def test_a_stop_takes_less_than_two_seconds_and_closes_the_clip(box: Box) -> None:
    wait_until_watching(box)
    began = time.monotonic()
    box.run("systemctl", "stop", "edge-fea")
    took = time.monotonic() - began
    assert took < 2
    assert box.show("Result") == "success"
    assert clips(box)[-1]["ended_by"] == "stop"
    assert failures(box) == []
    box.run("systemctl", "start", "edge-fea")


def test_a_process_that_hangs_is_ended_and_started_again(box: Box) -> None:
    pid = wait_until_watching(box)
    box.until(lambda: is_open(clips(box)), "no checkpoint")
    box.run("kill", "-STOP", str(pid))
    # The service made the watchdog as long as its settings need: 11 s instead of 5.
    box.until(lambda: box.show("NRestarts") == "1", "the watchdog does not bite", 60)
    assert wait_until_watching(box) != pid
    journal = box.run("journalctl", "-o", "cat", "--no-pager", "UNIT=edge-fea.service")
    assert "Watchdog timeout (limit 11s)" in journal
    assert failures(box) == ["fault"]
    assert "power_loss" in [clip["ended_by"] for clip in clips(box)]


def test_a_process_that_is_killed_is_started_again(box: Box) -> None:
    pid = wait_until_watching(box)
    box.run("kill", "-KILL", str(pid))
    box.until(lambda: box.show("NRestarts") == "2", "it is not started again")
    assert wait_until_watching(box) != pid
    assert failures(box) == ["fault"] * 2


def test_a_pulled_plug_costs_a_second_and_no_pause(box: Box) -> None:
    wait_until_watching(box)
    assert "paused for another 10 min" in box.edge_fea("pause", "--for", "10m")
    box.until(lambda: box.show("StatusText").startswith("paused for another"), "no pause")
    box.until(lambda: is_open(clips(box)), "no checkpoint")
    open_clip = clips(box)[-1]
    box.cut_power()
    box.boot()
    wait_until_watching(box)
    box.until(lambda: box.show("StatusText").startswith("paused for another"), "the pause is lost")
    (closed,) = [clip for clip in clips(box) if clip["clip_id"] == open_clip["clip_id"]]
    assert closed["ended_by"] == "power_loss"
    assert f"clip {closed['clip_id']} had been left open" in box.journal()
    assert failures(box) == []
    box.edge_fea("pause", "--end")


def test_without_a_camera_it_waits_longer_and_longer_and_a_stop_ends_that(box: Box) -> None:
    box.write("/etc/edge-fea/edge-fea.toml", NO_CAMERA)
    box.run("systemctl", "restart", "--no-block", "edge-fea")
    box.until(lambda: box.show("StatusText").startswith("trying again in"), box.journal())
    assert box.show("ActiveState") == "activating"
    assert failures(box) == ["camera-missing"] * 2
    assert "there is no camera: waiting 5 s" in box.journal()
    box.run("systemctl", "stop", "edge-fea")
    assert box.show("Result") == "success"
    assert failures(box) == []


def test_a_reboot_that_is_asked_for_is_done(box: Box) -> None:
    box.write("/etc/edge-fea/edge-fea.toml", SETTINGS)
    box.run("systemctl", "restart", "edge-fea")
    box.run("runuser", "-u", "edge-fea", "--", "touch", "/run/edge-fea/reboot")
    box.reboot_itself()
    wait_until_watching(box)
    assert box.try_run("test", "-e", "/run/edge-fea/reboot")[0] != 0
