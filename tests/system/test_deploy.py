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
    done = ask("free_mb() { echo 699; }; RELEASE=/nowhere; check_room_for_release")
    assert (done.returncode, "has 699 MB free" in done.stderr) == (73, True)


def test_a_release_that_is_there_needs_no_room_for_another(tmp_path: Path) -> None:
    (tmp_path / "COMPLETE").touch()
    done = ask(f"free_mb() {{ echo 50; }}; RELEASE={tmp_path}; check_room_for_release")
    assert (done.returncode, done.stdout) == (0, "OK  50 MB free\n"), done.stderr


def test_a_bundle_that_cannot_be_unpacked_for_want_of_room_is_not_called_damaged(
    tmp_path: Path,
) -> None:
    (tmp_path / "bundle.tar").write_bytes(b"x" * (3 << 20))
    done = ask(f"free_mb() {{ echo 12; }}; open_bundle {tmp_path}/bundle.tar /nowhere")
    assert (done.returncode, "needs 13" in done.stderr) == (73, True), done.stderr


@pytest.mark.parametrize(
    ("suite", "version", "code"),
    [
        ("bookworm", "3.11", 0),
        ("trixie", "3.13", 0),
        ("trixie", "3.12", 76),
        ("bookworm", "3.13", 76),
    ],
)
def test_only_a_releases_own_python_does(
    tmp_path: Path, suite: str, version: str, code: int
) -> None:
    python = tmp_path / "python3"
    python.write_text(f"#!/bin/sh\necho {version}\n")
    python.chmod(0o755)
    done = ask(f"PYTHON={python}; SUITE={suite}; check_python")
    assert done.returncode == code, done.stderr


def test_memory_for_pictures_that_is_roots_alone_is_told(tmp_path: Path) -> None:
    heap = tmp_path / "linux,cma"
    heap.touch()
    for mode, group in ((0o600, "root"), (0o660, "root"), (0o640, "video"), (0o660, "video")):
        heap.chmod(mode)
        shutil.chown(heap, group=group)
        done = ask(f"check_heaps {tmp_path}")
        assert done.returncode == 0
        opened = (mode, group) == (0o660, "video")
        assert ("raspberrypi-sys-mods" in done.stderr) != opened, (mode, group)
    assert ask(f"check_heaps {tmp_path}/missing").stderr == ""


@pytest.mark.parametrize("closed", ["another", "system"])
def test_one_memory_for_pictures_that_is_open_will_do(tmp_path: Path, closed: str) -> None:
    (tmp_path / closed).touch(0o600)
    heap = tmp_path / "linux,cma"
    heap.touch()
    heap.chmod(0o660)
    shutil.chown(heap, group="video")
    done = ask(f"check_heaps {tmp_path}")
    assert (done.returncode, done.stderr) == (0, "")


def test_a_dry_run_from_the_source_tells_all_of_it() -> None:
    system = Path("/etc/os-release").read_text()
    if not re.search("bookworm|trixie", system):
        pytest.skip("needs a system that edge-fea installs on")
    done = subprocess.run(
        [DEPLOY / "install.sh", "--dry-run", "--any-machine"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    for told in (
        *("would fetch the wheels", "useradd", "/etc/edge-fea/edge-fea.toml", "== Service"),
        *(f"/etc/systemd/system/{unit.name}" for unit in (REPOSITORY / "systemd").iterdir()),
        *(
            "60-edge-fea-led.rules",
            "systemctl --quiet enable edge-fea.service",
            "Nothing was changed",
        ),
    ):
        assert told in done.stdout, told


def test_the_turn_leaves_the_folder_of_locks_as_it_is(tmp_path: Path) -> None:
    copy = Path(shutil.copytree(DEPLOY, tmp_path / "deploy"))
    common = copy / "lib" / "common.sh"
    common.write_text(common.read_text().replace("/run/lock", f"{tmp_path}/lock"))
    (tmp_path / "lock").mkdir()
    (tmp_path / "lock").chmod(0o1777)
    subprocess.run(
        ["bash", "-euc", f'HERE={copy}; . "$HERE/lib/all.sh"; take_turn'], check=True, timeout=60
    )
    assert (tmp_path / "lock").stat().st_mode & 0o7777 == 0o1777


def test_the_end_of_an_installation_tells_how_to_place_the_device() -> None:
    """It has taken longer than the minutes in which the light helps."""
    said = ask("booted() { true; }; tell_placing; tell_notes").stdout
    assert "unplug it" in said
    assert "edge-fea place" in said


def login(**given: str) -> subprocess.CompletedProcess[str]:
    """The first hook of the image's layer, with what the build was given."""
    text = (DEPLOY / "image/layer/edge-fea.yaml").read_text()
    (hook,) = re.findall(r"setup-hooks:\n    - \|-\n((?:      .*\n)+)", text)
    return subprocess.run(
        ["sh", "-c", hook], env=given, capture_output=True, text=True, timeout=10, check=False
    )


@pytest.mark.parametrize(
    ("given", "refused"),
    [
        ({}, "nobody could log in"),
        ({"IGconf_ssh_pubkey_user1": "me.pub"}, "no sudo"),
        ({"IGconf_ssh_pubkey_user1": "me.pub", "IGconf_device_user1sudo": "nopasswd"}, ""),
        ({"IGconf_device_user1passhash": "$6$x", "IGconf_device_user1sudo": "passwd"}, ""),
    ],
)
def test_a_card_that_nobody_can_work_with_is_not_built(given: dict[str, str], refused: str) -> None:
    done = login(**given)
    assert (done.returncode != 0, refused in done.stderr) == (refused != "", True), done.stderr


def test_the_documented_command_builds_a_card_that_somebody_can_log_in_to() -> None:
    text = (REPOSITORY / "docs" / "install.md").read_text()
    (command,) = re.findall(r"```\nrpi-image-gen build[^`]+```", text)
    assert "IGconf_device_user1passhash=" in command


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


def test_that_pictures_may_be_swapped_out_until_the_restart_is_told(tmp_path: Path) -> None:
    file = tmp_path / "cmdline.txt"
    file.write_text("rootwait\n")
    said = ask(f"SCRATCH={tmp_path}; enable_memory_controller {file} /nowhere").stderr
    assert "restart the device once" in said
    assert "swapped out" in said
