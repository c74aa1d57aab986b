"""What the unit's shell does after the process has ended, however it did."""

import re
import subprocess
from pathlib import Path

import pytest

from edge_fea.device.light_outputs import SysfsLight
from edge_fea.device.lights import FAULT
from edge_fea.device.starts import Starts
from tests.device.conftest import is_lit

UNIT = Path(__file__).parents[2] / "systemd" / "edge-fea.service"


def after_the_end(folder: Path, leds: Path, result: str, status: str) -> None:
    """Run the line of ExecStopPost= as systemd would, on a fake /sys and /run."""
    text = UNIT.read_text().replace("\\\n", "")
    (script,) = re.findall(r"^ExecStopPost=-/bin/sh -c '(.+)'$", text, re.MULTILINE)
    (folder / "edge-fea").mkdir(exist_ok=True)
    line = script.replace("$$", "$").replace("%t", str(folder))
    line = line.replace("/sys/class/leds", str(leds))
    environment = {"PATH": "/nowhere", "SERVICE_RESULT": result, "EXIT_STATUS": status}
    subprocess.run(["/bin/sh", "-c", line], env=environment, check=True)


def failures_of_the_next_start(folder: Path) -> tuple[str, ...]:
    return Starts(folder / "starts.json", folder / "edge-fea" / "reboot", "b").begin().failures


@pytest.mark.parametrize("status", ["KILL", "ALRM", "ABRT"])
def test_a_light_that_a_killed_process_left_on_goes_dark(
    tmp_path: Path, leds: Path, status: str
) -> None:
    SysfsLight(leds / "ACT").set(True)
    (leds / "ACT" / "trigger").write_text("[none] timer mmc0\n")  # as the kernel tells it
    assert is_lit(leds)
    after_the_end(tmp_path, leds, "signal", status)
    assert not is_lit(leds)


def test_a_light_that_the_kernel_drives_is_left_alone(tmp_path: Path, leds: Path) -> None:
    (leds / "ACT" / "brightness").write_text("255")
    after_the_end(tmp_path, leds, "success", "0")
    assert is_lit(leds)


@pytest.mark.parametrize(
    ("result", "status", "counts"),
    [
        ("success", "TERM", False),  # a stop, while the camera was being opened
        ("timeout", "TERM", True),  # a start that took too long
        ("watchdog", "ABRT", True),
        ("signal", "KILL", True),
        ("success", "ALRM", True),  # it said so itself, if it was a stop
    ],
)
def test_only_a_stop_is_no_failure(
    tmp_path: Path, leds: Path, result: str, status: str, counts: bool
) -> None:
    (tmp_path / "edge-fea").mkdir()
    assert failures_of_the_next_start(tmp_path) == ()
    after_the_end(tmp_path, leds, result, status)
    assert failures_of_the_next_start(tmp_path) == ((FAULT.name,) if counts else ())
