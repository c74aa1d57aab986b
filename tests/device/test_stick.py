"""A USB stick before and around its mounting; the real thing is tests/system/test_stick.py."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from edge_fea.device import stick as stick_module
from edge_fea.device.stick import FILE_SYSTEMS, Stick, examine, mounted, require_space, verify
from edge_fea.errors import NotAllowed, NotFoundError, OutputDamaged, OutputFull, OutputUnwritable

DEVICE = Path("/dev/sda1")


class Commands:
    """Answers commands by their first word, and keeps them all."""

    def __init__(self, **answers: str | Exception) -> None:
        self.answers, self.given = answers, []

    def __call__(self, command: Sequence[str]) -> str:
        self.given.append(list(command))
        answer = self.answers.get(command[0], "")
        if isinstance(answer, Exception):
            raise answer
        return answer


@pytest.fixture(autouse=True)
def plugged_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Path, "is_block_device", lambda path: path == DEVICE)


def blkid(label: str = "EDGEFEA", kind: str = "vfat", uuid: str = "1A2B-3C4D") -> str:
    return f"DEVNAME=/dev/sda1\nLABEL={label}\nUUID={uuid}\nTYPE={kind}\n"


def test_a_stick_is_known_by_its_serial_number_and_that_of_its_file_system() -> None:
    run = Commands(blkid=blkid(), udevadm="ID_BUS=usb\nID_SERIAL_SHORT=4C53\n")
    found = examine(DEVICE, "EDGEFEA", run)
    assert found == Stick(DEVICE, "EDGEFEA", "vfat", "4C53", "1A2B-3C4D")
    assert found.who == "stick:4C53/1A2B-3C4D"


@pytest.mark.parametrize("udevadm", ["ID_BUS=usb\n", OutputUnwritable("cannot run udevadm")])
def test_without_one_the_file_systems_number_has_to_do(udevadm: str | Exception) -> None:
    found = examine(DEVICE, "EDGEFEA", Commands(blkid=blkid(), udevadm=udevadm))
    assert found.who == "stick:unknown/1A2B-3C4D"


def test_what_a_stick_says_of_itself_can_be_anything() -> None:
    run = Commands(blkid=blkid(), udevadm="ID_SERIAL_SHORT=a b\x1b[2J;$(reboot)" + "x" * 100)
    serial = examine(DEVICE, "EDGEFEA", run).serial
    assert serial.startswith("a_b__2J___reboot_x")
    assert len(serial) == 64


@pytest.mark.parametrize(
    ("told", "why"),
    [
        (blkid(label="HOLIDAY"), "not labelled EDGEFEA"),
        (blkid(kind="ntfs"), "must be formatted as vfat, exfat, ext4, and is ntfs"),
        (OutputUnwritable("blkid: exit code 2"), "no file system that can be told"),
    ],
)
def test_another_stick_is_left_alone(told: str | Exception, why: str) -> None:
    run = Commands(blkid=told)
    with pytest.raises(NotAllowed, match=why):
        examine(DEVICE, "EDGEFEA", run)
    assert "mount" not in [command[0] for command in run.given]


def test_a_stick_that_is_gone_is_not_found() -> None:
    with pytest.raises(NotFoundError, match="still plugged in"):
        examine(Path("/dev/sdb1"), "EDGEFEA", Commands())


@pytest.mark.parametrize("kind", FILE_SYSTEMS)
def test_nothing_on_a_stick_can_run_or_lead_elsewhere(kind: str, tmp_path: Path) -> None:
    run = Commands()
    with mounted(Stick(DEVICE, "EDGEFEA", kind, "1", "2"), tmp_path / "m", uid=7, gid=8, run=run):
        pass
    mount, unmount = run.given
    options = mount[mount.index("-o") + 1].split(",")
    assert {"nodev", "nosuid", "noexec", "nosymfollow", "rw"} <= set(options)
    assert ("uid=7" in options) == (kind != "ext4")
    assert unmount == ["umount", str(tmp_path / "m")]


def test_a_stick_that_was_pulled_out_is_let_go_of(tmp_path: Path) -> None:
    run = Commands(umount=OutputUnwritable("target is busy"))
    found = Stick(DEVICE, "EDGEFEA", "vfat", "1", "2")
    with (
        pytest.raises(ZeroDivisionError),
        mounted(found, tmp_path / "m", uid=7, gid=8, run=run),
    ):
        raise ZeroDivisionError
    assert run.given[-1] == ["umount", "--lazy", str(tmp_path / "m")]


def test_a_stick_that_does_not_unmount_is_an_error(tmp_path: Path) -> None:
    run = Commands(umount=OutputUnwritable("target is busy"))
    found = Stick(DEVICE, "EDGEFEA", "vfat", "1", "2")
    with (
        pytest.raises(OutputUnwritable, match="busy"),
        mounted(found, tmp_path / "m", uid=7, gid=8, run=run),
    ):
        pass


def test_a_stick_needs_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = Stick(DEVICE, "EDGEFEA", "vfat", "4C53", "1A2B")
    require_space(tmp_path, found)
    monkeypatch.setattr(stick_module, "LEAST_FREE", 1 << 60)
    with pytest.raises(OutputFull, match="the stick 4C53 has"):
        require_space(tmp_path, found)


def test_what_the_stick_gives_back_is_compared(tmp_path: Path) -> None:
    (tmp_path / "pack").write_bytes(b"abc")
    sha256 = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    verify(tmp_path, "pack", 3, sha256)
    with pytest.raises(OutputDamaged, match="not what was written"):
        verify(tmp_path, "pack", 3, "0" * 64)


def test_a_command_says_what_went_wrong() -> None:
    with pytest.raises(OutputUnwritable, match="cannot run no-such-command"):
        stick_module.run_command(["no-such-command"])
    with pytest.raises(OutputUnwritable, match="sh: broken"):
        stick_module.run_command(["sh", "-c", "echo broken >&2; exit 3"])
