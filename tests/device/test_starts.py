"""Back-off, and when a reboot is asked for."""

from pathlib import Path

import pytest

from edge_fea.device.lights import (
    CAMERA_MISSING,
    CAMERA_STALLED,
    FAULT,
    SETTINGS,
    STORAGE,
    Sign,
)
from edge_fea.device.starts import BACK_OFF_S, FAILURES_BEFORE_REBOOT, MOST_REBOOTS, Starts


class Machine:
    """Boots, and starts the service again and again, as systemd does."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.boots = 1

    def starts(self) -> Starts:
        return Starts(self.folder / "starts.json", self.folder / "reboot", f"boot {self.boots}")

    def fail(self, *signs: Sign) -> list[float]:
        """Starts that fail so; the waits before them."""
        waits = []
        for sign in signs:
            starts = self.starts()
            waits.append(starts.begin().wait_s)
            starts.failed(sign)
        return waits

    def kill(self) -> None:
        """A start that is killed, or crashes."""
        self.starts().begin()

    @property
    def is_asked_to_reboot(self) -> bool:
        return (self.folder / "reboot").exists()

    def reboot(self) -> None:
        (self.folder / "reboot").unlink(missing_ok=True)
        self.boots += 1


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_the_first_failure_costs_no_time(machine: Machine) -> None:
    assert machine.fail(CAMERA_STALLED, CAMERA_STALLED) == [0, 0]


def test_each_further_failure_costs_more_up_to_five_minutes(machine: Machine) -> None:
    waits = machine.fail(*[SETTINGS] * 30)
    assert waits == sorted(waits)
    assert waits[: len(BACK_OFF_S)] == list(BACK_OFF_S)
    assert set(waits[len(BACK_OFF_S) :]) == {300.0}


def test_the_last_failure_is_known_at_the_next_start(machine: Machine) -> None:
    machine.fail(STORAGE, CAMERA_MISSING)
    assert machine.starts().begin().last is CAMERA_MISSING


def test_a_start_that_was_killed_is_a_fault(machine: Machine) -> None:
    for _ in range(3):
        machine.kill()
    history = machine.starts().begin()
    assert history.failures == (FAULT.name,) * 3


def test_a_plug_that_was_pulled_is_no_failure(machine: Machine) -> None:
    machine.fail(CAMERA_STALLED)
    machine.kill()
    machine.reboot()
    assert machine.starts().begin().failures == ()


def test_a_stop_that_was_asked_for_ends_the_row(machine: Machine) -> None:
    machine.fail(STORAGE, STORAGE)
    starts = machine.starts()
    starts.begin()
    starts.stopped()
    assert machine.starts().begin().failures == ()


def test_a_sound_run_ends_the_row(machine: Machine) -> None:
    machine.fail(*[CAMERA_STALLED] * 4)
    starts = machine.starts()
    starts.begin()
    starts.sound()
    starts.failed(CAMERA_STALLED)
    history = machine.starts().begin()
    assert history.failures == (CAMERA_STALLED.name,)


def test_a_camera_that_stalls_again_and_again_leads_to_a_reboot(machine: Machine) -> None:
    machine.fail(*[CAMERA_STALLED] * (FAILURES_BEFORE_REBOOT - 1))
    assert not machine.is_asked_to_reboot
    machine.fail(CAMERA_STALLED)
    assert machine.is_asked_to_reboot


def test_a_process_that_cannot_be_killed_leads_to_a_reboot(machine: Machine) -> None:
    """It holds the database's lock: all starts after it fail with that."""
    machine.kill()
    machine.fail(*[STORAGE] * (FAILURES_BEFORE_REBOOT - 1))
    assert machine.is_asked_to_reboot


@pytest.mark.parametrize("sign", [SETTINGS, STORAGE])
def test_what_a_reboot_does_not_mend_leads_to_none(machine: Machine, sign: Sign) -> None:
    machine.fail(*[sign] * 30)
    assert not machine.is_asked_to_reboot


def test_a_camera_that_is_gone_does_not_reboot_for_ever(machine: Machine) -> None:
    reboots = 0
    for _ in range(10):
        machine.fail(*[CAMERA_MISSING] * 30)
        reboots += machine.is_asked_to_reboot
        machine.reboot()
    assert reboots == MOST_REBOOTS


def test_after_a_sound_run_a_reboot_may_help_again(machine: Machine) -> None:
    for _ in range(3):
        machine.fail(*[CAMERA_STALLED] * 10)
        machine.reboot()
    assert not machine.is_asked_to_reboot
    starts = machine.starts()
    starts.begin()
    starts.sound()
    machine.fail(*[CAMERA_STALLED] * 10)
    assert machine.is_asked_to_reboot


@pytest.mark.parametrize("text", ["", "{", "[]", '{"boot": 1}', '{"boot": "", "failures": 3}'])
def test_a_file_that_cannot_be_understood_is_begun_anew(
    machine: Machine, text: str, caplog: pytest.LogCaptureFixture
) -> None:
    (machine.folder / "starts.json").write_text(text)
    assert machine.starts().begin().failures == ()
    assert "begun anew" in caplog.text
    assert machine.fail(STORAGE) == [0]


def test_it_is_for_services_only(tmp_path: Path) -> None:
    service = {
        "NOTIFY_SOCKET": "/run/x",
        "STATE_DIRECTORY": str(tmp_path),
        "RUNTIME_DIRECTORY": str(tmp_path),
    }
    assert Starts.of_service(service, "boot") is not None
    for name in service:
        assert Starts.of_service({**service, name: ""}, "boot") is None


def test_a_folder_that_cannot_be_written_ends_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    starts = Starts(tmp_path / "none" / "starts.json", tmp_path / "none" / "reboot", "boot")
    starts.begin()
    for _ in range(FAILURES_BEFORE_REBOOT):
        asked = starts.failed(CAMERA_STALLED)
    assert not asked
    assert "cannot be written" in caplog.text
    assert "cannot be asked for" in caplog.text


def test_a_stop_that_could_not_say_so_itself_is_no_failure(machine: Machine) -> None:
    machine.fail(CAMERA_STALLED)
    machine.kill()
    (machine.folder / "stopped").touch()
    assert machine.starts().begin().failures == ()
    # It holds for that one end.
    assert not (machine.folder / "stopped").exists()
    assert machine.starts().begin().failures == (FAULT.name,)
