"""What a ready card takes from its boot partition, below a folder of the test's."""

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.system.box import REPOSITORY

pytestmark = pytest.mark.system

DEPLOY = REPOSITORY / "deploy"
Take = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def boot(tmp_path: Path) -> Path:
    for name in ("boot", "etc", "iwd", "home"):
        (tmp_path / name).mkdir()
    return tmp_path / "boot"


@pytest.fixture
def take(boot: Path) -> Take:
    """Takes what is on the boot partition; the operator is whoever runs this test."""
    root = boot.parent
    places = {"ETC": str(root / "etc"), "WIFI": str(root / "iwd"), "ZONES": "/usr/share/zoneinfo"}

    def run(instead: str = "") -> subprocess.CompletedProcess[str]:
        script = (
            f'HERE={DEPLOY}; set -euo pipefail; . "$HERE/lib/all.sh"; BOOT={boot}; '
            '. "$HERE/image/boot-files.sh"; runuser() { shift 3; "$@"; }; '
            f"operator() {{ echo carer:x:1000:1000::{root}/home:/bin/sh; }}; "
            f"{instead} make_scratch; take_boot_files"
        )
        return subprocess.run(
            ["bash", "-c", script],
            env={**os.environ, **places},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    return run


@pytest.fixture
def key(tmp_path: Path) -> str:
    """A public key."""
    file = tmp_path / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", file], check=True)
    return file.with_suffix(".pub").read_text()


def told(boot: Path) -> str:
    return (boot / "edge-fea-problem.txt").read_text()


def test_keys_of_the_operator_are_added_and_taken_off_the_card(
    boot: Path, take: Take, key: str
) -> None:
    mine = boot.parent / "home/.ssh/authorized_keys"
    mine.parent.mkdir()
    mine.write_text("ssh-ed25519 AAAA-that-was-there")
    (boot / "edge-fea-keys.txt").write_bytes(f"# mine\r\n{key.strip()}\r\n".encode())
    for _ in range(2):
        done = take()
        assert done.returncode == 0, done.stderr
        (boot / "edge-fea-keys.txt").write_text(key)
    assert mine.read_text() == f"ssh-ed25519 AAAA-that-was-there\n{key}"
    assert mine.stat().st_mode & 0o777 == 0o600
    take()
    assert list(boot.iterdir()) == []


def test_the_last_key_counts_without_the_end_of_its_line(boot: Path, take: Take, key: str) -> None:
    another = key.replace(key.split()[2], "another")
    for text in (key.strip(), f"{key}{another.strip()}"):
        (boot / "edge-fea-keys.txt").write_text(text)
        done = take()
        assert done.returncode == 0, done.stderr
    assert (boot.parent / "home/.ssh/authorized_keys").read_text() == key + another


@pytest.mark.parametrize("end", ["", "\n"])
def test_the_other_files_do_without_the_end_of_the_last_line(
    boot: Path, take: Take, end: str
) -> None:
    (boot / "edge-fea-timezone.txt").write_text(f"Europe/Berlin{end}")
    (boot / "edge-fea-wifi.txt").write_text(f"ssid=Ward\npassphrase=longenough{end}")
    done = take()
    assert done.returncode == 0, done.stderr
    assert (boot.parent / "etc/timezone").read_text() == "Europe/Berlin\n"
    assert (boot.parent / "iwd/Ward.psk").read_text() == "[Security]\nPassphrase=longenough\n"


@pytest.mark.parametrize("line", ["hello", 'command="sh" {key}', "ssh-ed25519 AAAA", ""])
def test_what_is_no_key_is_told_on_the_card(boot: Path, take: Take, key: str, line: str) -> None:
    (boot / "edge-fea-keys.txt").write_text(f"{line.format(key=key)}\n")
    assert take().returncode == 78
    assert "key" in told(boot)
    assert not (boot.parent / "home/.ssh").exists()
    # Mended: it is taken, and the complaint goes.
    (boot / "edge-fea-keys.txt").write_text(key)
    assert take().returncode == 0
    assert list(boot.iterdir()) == []


def test_the_time_zone(boot: Path, take: Take) -> None:
    (boot / "edge-fea-timezone.txt").write_text("Europe/Berlin\n")
    done = take()
    assert done.returncode == 0, done.stderr
    etc = boot.parent / "etc"
    assert (etc / "localtime").readlink() == Path("/usr/share/zoneinfo/Europe/Berlin")
    assert (etc / "timezone").read_text() == "Europe/Berlin\n"
    assert list(boot.iterdir()) == []


@pytest.mark.parametrize("zone", ["Europe/Berln", "../../etc/passwd", "", "Europe"])
def test_a_zone_that_is_none_is_told(boot: Path, take: Take, zone: str) -> None:
    (boot / "edge-fea-timezone.txt").write_text(f"{zone}\n")
    assert take().returncode == 78
    assert "edge-fea-timezone.txt was not taken" in told(boot)
    assert list((boot.parent / "etc").iterdir()) == []


@pytest.mark.parametrize(
    ("ssid", "file"),
    [("Ward 3", "Ward 3.psk"), ("Café", "=436166c3a9.psk"), ("a/b", "=612f62.psk")],
)
def test_the_network_goes_to_iwd_and_its_words_leave_the_card(
    boot: Path, take: Take, ssid: str, file: str
) -> None:
    (boot / "edge-fea-wifi.txt").write_bytes(f"ssid={ssid}\r\npassphrase=a b\\c=d efg\r\n".encode())
    done = take()
    assert done.returncode == 0, done.stderr
    (written,) = (boot.parent / "iwd").iterdir()
    assert (written.name, written.stat().st_mode & 0o777) == (file, 0o600)
    assert written.read_text() == "[Security]\nPassphrase=a b\\\\c=d efg\n"
    assert list(boot.iterdir()) == []


@pytest.mark.parametrize(
    "text", ["passphrase=longenough\n", f"ssid={'x' * 33}\npassphrase=longenough\n",
             "ssid=x\npassphrase=secret7\n", "ssid=x\npassphrase= secret78\n", "ssid=x\n"]
)  # fmt: skip
def test_what_is_no_network_is_told_without_its_words(boot: Path, take: Take, text: str) -> None:
    (boot / "edge-fea-wifi.txt").write_text(text)
    done = take()
    assert done.returncode == 78
    assert "secret" not in told(boot) + done.stderr
    assert list((boot.parent / "iwd").iterdir()) == []


def test_one_that_is_wrong_does_not_keep_the_others(boot: Path, take: Take) -> None:
    (boot / "edge-fea-wifi.txt").write_text("ssid=x\n")
    (boot / "edge-fea-timezone.txt").write_text("Europe/Berlin\n")
    assert take().returncode == 78
    assert (boot.parent / "etc/timezone").exists()
    assert sorted(each.name for each in boot.iterdir()) == [
        "edge-fea-problem.txt",
        "edge-fea-wifi.txt",
    ]


@pytest.mark.parametrize(
    ("name", "text", "copy"),
    [
        ("edge-fea.toml", "", "etc/edge-fea.toml"),
        ("edge-fea-keys.txt", "{key}", "home/.ssh/authorized_keys"),
        ("edge-fea-timezone.txt", "Europe/Berlin", "etc/timezone"),
        ("edge-fea-wifi.txt", "ssid=Ward\npassphrase=longenough", "iwd/Ward.psk"),
    ],
)
def test_what_was_taken_is_on_the_disk_before_it_leaves_the_card(
    boot: Path, take: Take, key: str, name: str, text: str, copy: str
) -> None:
    (boot / name).write_text(text.format(key=key))
    settings = f'take_settings() {{ cp "$1" {boot.parent}/etc/edge-fea.toml; }};'
    done = take(f"{settings} sync() {{ (($#)) || ls {boot}/{name} {boot.parent / copy}; }};")
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith(f"{boot}/{name}\n{boot.parent / copy}\n")
    assert not (boot / name).exists()
