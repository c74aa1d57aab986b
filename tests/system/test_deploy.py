"""What installs edge-fea, as far as it can be asked without installing: words, pins, recipes."""

import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest

from tests.system.box import REPOSITORY

pytestmark = pytest.mark.system

DEPLOY = REPOSITORY / "deploy"
SCRIPTS = sorted([*DEPLOY.glob("*.sh"), *DEPLOY.glob("image/*.sh"), *DEPLOY.glob("debian/p*")])
SUITES = ("bookworm", "trixie")
LIBRARY = f'HERE={DEPLOY}; set -euo pipefail; . "$HERE/lib/all.sh"; '


def ask(script: str, *environment: str) -> subprocess.CompletedProcess[str]:
    """Run a line with the library of the scripts."""
    return subprocess.run(
        ["env", *environment, "bash", "-c", LIBRARY + script],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_shellcheck_finds_nothing() -> None:
    done = subprocess.run(
        ["shellcheck", "--external-sources", "--check-sourced", *map(str, SCRIPTS)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "")


@pytest.mark.parametrize("arch", ["armhf", "armel"])
def test_a_32_bit_system_is_told_what_to_install(arch: str) -> None:
    done = ask(f"check_architecture {arch}", "ANY_MACHINE=yes")
    assert done.returncode == 76
    assert f"32-bit system ({arch})" in done.stderr
    assert '"Raspberry Pi OS (64-bit)"' in done.stderr


@pytest.mark.parametrize(
    "model",
    [
        "Raspberry Pi 3 Model B Rev 1.2",
        "Raspberry Pi 3 Model A Plus Rev 1.0",
        "Raspberry Pi 4 Model B Rev 1.5",
        "Raspberry Pi 400 Rev 1.0",
        "Raspberry Pi 5 Model B Rev 1.0",
        "Raspberry Pi 500 Rev 1.0",
        "Raspberry Pi Zero 2 W Rev 1.0",
        "Raspberry Pi Compute Module 4 Rev 1.1",
    ],
)
def test_boards_that_do(model: str) -> None:
    done = ask(f"check_model '{model}'; echo $IS_PI")
    assert (done.returncode, done.stdout) == (0, f"OK  {model}\nyes\n")


@pytest.mark.parametrize(
    "model",
    ["Raspberry Pi 2 Model B Rev 1.1", "Raspberry Pi Zero W Rev 1.1", "Raspberry Pi Model B", ""],
)
def test_boards_that_do_not(model: str) -> None:
    done = ask(f"check_model '{model}'")
    assert (done.returncode, "Raspberry Pi 3 or later" in done.stderr) == (76, True)
    assert ask(f"check_model '{model}'; echo $IS_PI", "ANY_MACHINE=yes").stdout.endswith("\nno\n")


@pytest.mark.parametrize(
    ("text", "suite"),
    [
        ('PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\nVERSION_CODENAME=bookworm\n', "bookworm"),
        ('PRETTY_NAME="Debian GNU/Linux 13 (trixie)"\nVERSION_CODENAME="trixie"\n', "trixie"),
        ('PRETTY_NAME="Raspbian GNU/Linux 11 (bullseye)"\nVERSION_CODENAME=bullseye\n', ""),
        ('PRETTY_NAME="Fedora Linux 43"\n', ""),
    ],
)
def test_systems(tmp_path: Path, text: str, suite: str) -> None:
    (tmp_path / "os-release").write_text(text)
    done = ask(f"check_system {tmp_path}/os-release; echo $SUITE")
    if suite:
        assert done.stdout.splitlines()[-1] == suite
    else:
        assert (done.returncode, "Bookworm (12) or Trixie (13)" in done.stderr) == (76, True)


def test_too_little_room_is_told() -> None:
    done = ask("free_mb() { echo 899; }; check_disk")
    assert (done.returncode, "has 899 MB free" in done.stderr) == (73, True)


def test_a_folder_without_debian_packages_is_refused(tmp_path: Path) -> None:
    for folder in (tmp_path / "missing", tmp_path):
        done = ask(f"folder_of_debs '{folder}'")
        assert (done.returncode, str(folder) in done.stderr) == (66, True), done.stderr
        made = subprocess.run(
            [DEPLOY / "make-bundle.sh", "--debs", folder, "--output", tmp_path],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert (made.returncode, "no Debian packages" in made.stderr) == (1, True), made.stderr
    (tmp_path / "one.deb").touch()
    assert ask(f"folder_of_debs '{tmp_path}'").stdout == f"{tmp_path}\n"
    assert ask("folder_of_debs ''").stdout == ""


def test_debian_packages_that_are_here_as_new_are_left_out(tmp_path: Path) -> None:
    here = subprocess.run(
        ["dpkg-query", "-W", "-f", "${Version}", "dpkg"], capture_output=True, text=True, check=True
    ).stdout
    offered = {"dpkg": here, "older": "0.0.1", "newer": f"{here}+1", "edge-fea-unknown": "1"}
    for file, version in offered.items():
        control = tmp_path / file / "DEBIAN" / "control"
        control.parent.mkdir(parents=True)
        package = "dpkg" if file in ("older", "newer") else file
        control.write_text(
            f"Package: {package}\nVersion: {version}\nArchitecture: all\n"
            "Maintainer: nobody <nobody@example.org>\nDescription: made for a test\n"
        )
        subprocess.run(
            ["dpkg-deb", "--build", tmp_path / file, tmp_path / f"{file}.deb"],
            check=True,
            capture_output=True,
        )
    wanted = ask(f"newer_debs '{tmp_path}'").stdout.split()
    assert [Path(each).stem for each in wanted] == ["edge-fea-unknown", "newer"]


def test_apt_is_shown_no_source_but_the_folder(tmp_path: Path) -> None:
    asked = ask(
        f"newer_debs() {{ echo {tmp_path}/one.deb; }}; missing_packages() {{ echo one; }}; "
        f"SCRATCH={tmp_path}; DRY_RUN=yes; install_packages {tmp_path}"
    ).stdout
    assert "Dir::Etc::SourceList=/dev/null" in asked
    assert "Dir::State::Lists=" in asked
    assert asked.strip().endswith(f"install {tmp_path}/one.deb")


def test_every_pin_has_hashes_and_every_dependency_a_pin() -> None:
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    wanted = [*project["dependencies"], *project["optional-dependencies"]["report"]]
    names = {re.match(r"[\w-]+", each)[0] for each in wanted}  # type: ignore[index]
    for suite in SUITES:
        text = (DEPLOY / "requirements" / f"{suite}.txt").read_text()
        pins = re.findall(
            r"^([\w-]+)==.*\\\n((?:    --hash=sha256:[0-9a-f]{64}.*\n?)+)", text, re.M
        )
        assert len(pins) == len(re.findall(r"^[\w-]+==", text, re.M))
        assert names <= {name for name, _ in pins}


def test_the_settings_that_ship_are_in_every_place() -> None:
    """What a script names is there."""
    for script in (DEPLOY / "lib").glob("*.sh"):
        for name in re.findall(r"\$(?:release|1)/(deploy/[\w./-]+\w)", script.read_text()):
            assert (REPOSITORY / name).exists(), (script.name, name)


def test_nothing_is_removed_that_is_not_edge_feas() -> None:
    for path in ("/", "/etc", "/var/lib", "/opt", "/opt/edge-fea-other", ""):
        done = ask(f"remove_tree '{path}'", "DRY_RUN=yes")
        assert (done.returncode, "refusing" in done.stderr) == (1, True), path


def test_the_command_line_of_a_pi_stays_one_line(tmp_path: Path) -> None:
    file = tmp_path / "cmdline.txt"
    file.write_text("console=tty1 root=PARTUUID=1 rootwait \n")
    for _ in range(2):
        done = ask(f"SCRATCH={tmp_path}; enable_memory_controller {file} /nowhere")
        assert done.returncode == 0, done.stderr
    assert file.read_text() == "console=tty1 root=PARTUUID=1 rootwait cgroup_enable=memory\n"


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="needs systemd")
def test_systemd_finds_nothing_wrong_with_the_first_start(tmp_path: Path) -> None:
    text = (REPOSITORY / "systemd" / "edge-fea-first-boot.service").read_text()
    unit = tmp_path / "edge-fea-first-boot.service"
    unit.write_text(re.sub(r"=/opt/edge-fea/\S+", "=/bin/true", text))
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", unit], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout + done.stderr) == (0, "")
