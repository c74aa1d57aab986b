"""The units: what systemd itself says of them, on the files that ship."""

import re
import subprocess
from pathlib import Path

import pytest

pytestmark = pytest.mark.system

ROOT = Path(__file__).parents[2]
SERVICE = ROOT / "systemd" / "edge-fea.service"
STICK = ROOT / "systemd" / "edge-fea-usb@.service"
UNITS = sorted((ROOT / "systemd").iterdir())
# By systemd's own measure, of 10. Above 1.5 are root's: one mounts, two write the system's files.
MOST_EXPOSURE = {
    "edge-fea.service": 1.5,
    "edge-fea-backup.service": 1.0,
    "edge-fea-first-boot.service": 2.5,
    "edge-fea-reboot.service": 1.5,
    "edge-fea-selfcheck.service": 1.5,
    "edge-fea-upgrade.service": 2.2,
    "edge-fea-usb@.service": 2.5,
}


def analyze(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["systemd-analyze", *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_systemd_finds_nothing_wrong(tmp_path: Path) -> None:
    for unit in UNITS:
        # Where edge-fea is not installed, its command is the one thing that would be missed.
        text = re.sub(
            r"^ExecStart=/opt/edge-fea/\S+", "ExecStart=/bin/true", unit.read_text(), flags=re.M
        )
        (tmp_path / unit.name).write_text(text)
    done = analyze("verify", "--man=no", *(tmp_path / unit.name for unit in UNITS))
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


def test_every_service_has_a_bound() -> None:
    assert set(MOST_EXPOSURE) == {unit.name for unit in UNITS if unit.suffix == ".service"}


@pytest.mark.parametrize("name", MOST_EXPOSURE)
def test_services_are_hardly_exposed(name: str) -> None:
    most = MOST_EXPOSURE[name]
    done = analyze(
        *("security", "--offline=true", "--no-pager", f"--threshold={round(10 * most)}"),
        ROOT / "systemd" / name,
    )
    found = re.search(r"Overall exposure level for edge-fea\S*\.service: ([\d.]+)", done.stdout)
    assert found, done
    assert float(found[1]) <= most, done.stdout
    assert done.returncode == 0


def test_the_pack_for_a_stick_is_no_more_exposed_than_the_page_says() -> None:
    done = analyze("security", "--offline=true", "--no-pager", STICK)
    (exposure,) = re.findall(r"Overall exposure level for \S+: ([\d.]+)", done.stdout)
    assert f"gives it {exposure} of\n  10" in (ROOT / "docs" / "usb.md").read_text()
    assert f"at {exposure} is" in STICK.read_text()


def test_where_memory_runs_short_the_recording_goes_last() -> None:
    def score(unit: Path) -> int:
        (found,) = re.findall(r"^OOMScoreAdjust=(\d+)$", unit.read_text(), re.M)
        return int(found)

    others = [
        STICK,
        *(UNITS[0].with_name(f"edge-fea-{n}.service") for n in ("backup", "selfcheck")),
    ]
    assert all(score(unit) >= score(SERVICE) + 300 for unit in others)


def test_the_page_on_the_service_tells_the_exposure() -> None:
    done = analyze("security", "--offline=true", "--no-pager", SERVICE)
    (exposure,) = re.findall(r"Overall exposure level for edge-fea\.service: ([\d.]+)", done.stdout)
    assert f"says {exposure} of 10" in (ROOT / "docs" / "service.md").read_text()


def test_no_unit_needs_a_newer_systemd_than_bookworms() -> None:
    """What 252 does not know it ignores, with a warning that `verify` would show elsewhere."""
    newer = re.compile(r"^(RestartSteps|RestartMaxDelaySec|RestartMode|MemoryZSwapMax)=", re.M)
    for unit in UNITS:
        assert not newer.search(unit.read_text())


def test_two_sticks_at_once_share_no_folder_that_the_first_to_end_takes_along() -> None:
    text = STICK.read_text()
    (folder,) = re.findall(r"^RuntimeDirectory=(.+)$", text, re.M)
    assert folder.endswith("/%i")
    (place,) = re.findall(r"^ExecStart=.* --mount-point %t/(\S+) ", text, re.M)
    assert place == folder
