"""What the doctor sees of a real machine: commands with time-outs, processes, a picture."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from edge_fea.config import CaptureSettings
from edge_fea.device.doctor import glance as glances
from edge_fea.device.doctor import machine as machines
from edge_fea.device.doctor.glance import glance
from edge_fea.device.doctor.machine import Answer, Machine, run_command


def test_a_command_answers_with_what_it_said() -> None:
    assert run_command(["echo", "well"]) == Answer(0, "well")


def test_a_command_that_fails_says_why() -> None:
    answer = run_command(["ls", "/no/such/folder"])
    assert answer is not None
    assert answer.code != 0
    assert "No such file" in answer.text
    assert Machine().ask("ls", "/no/such/folder") is None


def test_a_command_that_is_not_installed_has_no_answer() -> None:
    assert run_command(["no-such-command"]) is None


def test_a_command_that_hangs_has_no_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machines, "_TIMEOUT_S", 0.05)
    assert run_command(["sleep", "60"]) is None


def test_files_that_are_not_there_are_none(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    assert machine.text("/proc/nothing") is None
    assert machine.names("/proc/nothing") == []
    assert machine.uptime_s() is None
    assert machine.age_s(1) is None


def test_a_process_knows_its_age_and_its_children() -> None:
    machine = Machine()
    with subprocess.Popen(["sleep", "60"]) as process:
        assert process.pid in machine.children(os.getpid())
        age = machine.age_s(process.pid)
        process.kill()
    assert age is not None
    assert 0 <= age < 60


def test_grandchildren_are_children_too() -> None:
    machine = Machine()
    script = "import subprocess; p = subprocess.Popen(['sleep', '60']); print(p.pid, flush=True)"
    script += "; input(); p.kill()"
    with subprocess.Popen(
        [sys.executable, "-c", script], stdout=subprocess.PIPE, stdin=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        grandchild = int(process.stdout.readline())
        assert {process.pid, grandchild} <= set(machine.children(os.getpid()))
        process.communicate("\n")


def test_a_source_that_works_gives_a_picture(portrait_video: Path) -> None:
    assert glance(CaptureSettings(source="video", path=portrait_video)) is None


def test_a_source_that_does_not_work_says_why(tmp_path: Path) -> None:
    said = glance(CaptureSettings(source="webcam", device="/dev/video99"))
    assert said is not None
    assert "no camera at /dev/video99" in said


def test_a_source_that_hangs_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(glances, "_LOADING_S", -0.99)
    fifo = tmp_path / "hangs.avi"
    os.mkfifo(fifo)
    said = glance(CaptureSettings(source="video", path=fifo, timeout_s=1.0))
    assert said == "no picture within 0 s: it hangs"
