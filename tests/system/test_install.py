"""Install, upgrade, roll-back and removal on a blank Debian, from a bundle and without a network.

One container is used by all tests, in the order of this file.
"""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge_fea.capture.demo import DemoSource, Scene
from edge_fea.store.schema import known
from tests.conftest import write_video
from tests.system.blank import Blank, root_file_system
from tests.system.releases import copy_release, in_file, make_release

pytestmark = pytest.mark.appliance

SUITE, ARCH = "bookworm", "amd64"
SETTINGS = """# the operator's own
[capture]
source = "video"
path = "/opt/film.avi"
[clip]
checkpoint_s = 1
"""
OPTIONS = ("--any-machine", "--offline")
INSTALL = "deploy/install.sh"
UPGRADE = "deploy/upgrade.sh"
DATABASE = "/var/lib/edge-fea/edge-fea.db"

# Passes its self-check, and never starts.
DOES_NOT_START = in_file(
    "edge_fea/cli/watch.py",
    "    settings, wrong = Settings(), None\n",
    '    raise SystemExit("this release is broken")\n',
)
# Does not compute what was measured.
COMPUTES_WRONGLY = in_file(
    "edge_fea/vision/classifier.py",
    "    def self_check(self) -> float:\n",
    "    def self_check(self) -> float:\n        raise NetworkInvalid('computes otherwise')\n",
)
NEW_STEP = "9000_of_a_newer_release"
STEP = f'''@migrations(name="{NEW_STEP}")
def of_a_newer_release(db: sqlite_utils.Database) -> None:
    """Bring the database up to where the release before cannot follow."""
    db.execute("CREATE INDEX idx_newer ON clips(ended_by)")


def known()'''
MIGRATES = in_file("edge_fea/store/schema.py", "def known()", STEP)
STALLS = in_file(
    "edge_fea/cli/watch.py",
    "            recorder.record(source, stop)\n",
    "            raise SystemExit(1)\n",
)


@pytest.fixture(scope="module")
def bundles(tmp_path_factory: pytest.TempPathFactory, bundle: Path) -> Path:
    folder = tmp_path_factory.mktemp("bundles")
    first = copy_release(bundle, folder / "first")
    make_release(first, folder / "newer", "0.2.0", MIGRATES)
    make_release(first, folder / "wrong", "0.2.1", COMPUTES_WRONGLY)
    make_release(first, folder / "silent", "0.2.2", DOES_NOT_START)
    make_release(
        first,
        folder / "migrates",
        "0.2.3",
        lambda path, text: STALLS(path, MIGRATES(path, text)),
    )
    damaged = make_release(first, folder / "damaged", "0.2.4")
    subprocess.run(["tar", "-C", folder, "-cf", folder / "first.tar", "first"], check=True)
    (damaged / "systemd" / "edge-fea.service").write_text("[Service]\nExecStart=/bin/sh\n")
    return folder


@pytest.fixture(scope="module")
def blank(
    tmp_path_factory: pytest.TempPathFactory, stage: DemoSource, bundles: Path
) -> Iterator[Blank]:
    film = write_video(
        tmp_path_factory.mktemp("film") / "film.avi", stage, [Scene("valid", 300)], rate=4
    )
    blank = Blank(tmp_path_factory.mktemp("disk"), root_file_system(SUITE, ARCH), bundles)
    try:
        blank.copy(film, "/opt/film.avi")
        # A container gets an id of the boot of its own, which only its first /proc shows.
        blank.write(
            "/etc/systemd/system/edge-fea.service.d/test.conf", "[Service]\nProtectProc=default\n"
        )
        blank.boot()
        yield blank
    finally:
        blank.close()


def release(blank: Blank) -> str:
    return blank.run("/opt/edge-fea/bin/edge-fea", "--version").split()[-1]


def changed(before: dict[str, str], after: dict[str, str]) -> set[str]:
    return {path for path in before.keys() | after.keys() if before.get(path) != after.get(path)}


def clips(blank: Blank) -> int:
    return len(blank.edge_fea("clips", "--running", "--format", "csv").splitlines()) - 1


def steps(blank: Blank) -> set[str]:
    """The steps that the database has seen."""
    said = blank.run(
        "python3",
        "-c",
        f"import sqlite3; d = sqlite3.connect('{DATABASE}'); "
        "print(*(name for name, in d.execute('SELECT name FROM _sqlite_migrations')))",
    )
    return set(said.split())


@pytest.mark.timeout(1200)
def test_a_machine_that_is_no_pi_is_refused(blank: Blank) -> None:
    before = blank.state()
    code, said = blank.script(f"first/{INSTALL}", "--offline", "/srv/first")
    assert (code, "--any-machine" in said) == (76, True), said
    assert changed(before, blank.state()) == set()


def test_a_dry_run_tells_all_and_changes_nothing(blank: Blank) -> None:
    before = blank.state()
    code, said = blank.script(f"first/{INSTALL}", "--dry-run", *OPTIONS, "/srv/first")
    assert code == 0, said
    for told in ("useradd", "/etc/systemd/system/edge-fea.service", "/etc/pam.d/sshd", "enable"):
        assert told in said
    assert changed(before, blank.state()) == set()


def test_a_damaged_bundle_is_refused(blank: Blank) -> None:
    before = blank.state()
    code, said = blank.script(f"first/{INSTALL}", *OPTIONS, "/srv/damaged")
    assert (code, "systemd/edge-fea.service: FAILED" in said) == (65, True), said
    assert changed(before, blank.state()) == set()


@pytest.mark.timeout(600)
def test_it_installs_without_a_network_and_starts(blank: Blank) -> None:
    blank.write("/etc/edge-fea/edge-fea.toml", SETTINGS)
    code, said = blank.script(f"first/{INSTALL}", *OPTIONS, "/srv/first")
    assert code == 0, said
    assert "fingerprint" in said
    assert blank.show("ActiveState") == "active"
    assert blank.show("UnitFileState") == "enabled"
    assert blank.show("UnitFileState", "edge-fea-selfcheck.timer") == "enabled"
    # No folder for backups is set: a timer would fail daily.
    assert blank.show("UnitFileState", "edge-fea-backup.timer") == "disabled"
    assert blank.run("cat", "/etc/edge-fea/edge-fea.toml") == SETTINGS
    assert "bad" not in blank.doctor().values(), blank.doctor()
    assert blank.run("edge-fea", "--version") == blank.run(
        "/opt/edge-fea/current/bin/edge-fea", "--version"
    )


def test_what_it_made_is_whose_it_should_be(blank: Blank) -> None:
    def stat(path: str) -> str:
        return blank.run("stat", "-c", "%a %U %G", path).strip()

    assert stat("/var/lib/edge-fea") == "750 edge-fea edge-fea"
    assert stat("/var/lib/edge-fea/audit") == "2770 edge-fea edge-fea"
    assert stat("/var/lib/edge-fea/keys/device.pem") == "640 edge-fea edge-fea"
    assert stat("/var/backups/edge-fea") == "700 edge-fea edge-fea"
    assert stat("/etc/edge-fea/clinicians") == "644 root root"
    assert {"video", "render"} <= set(blank.run("id", "-nG", "edge-fea").split())
    strangers = blank.run("find", "/opt/edge-fea", "(", "!", "-user", "root", "-o", "-perm",
                          "/022", ")", "!", "-type", "l")  # fmt: skip
    assert strangers == ""


def test_sshd_has_the_clinicians_account(blank: Blank) -> None:
    where = "user=clinician,host=laptop,addr=192.0.2.1"
    said = blank.run("/usr/sbin/sshd", "-T", "-C", where)
    assert "forcecommand /opt/edge-fea/bin/edge-fea clinic" in said
    assert blank.run("cat", "/etc/pam.d/sshd").splitlines().count("@include edge-fea") == 1


@pytest.mark.timeout(600)
def test_doing_it_again_changes_nothing(blank: Blank) -> None:
    before = blank.state()
    code, said = blank.script(f"first/{INSTALL}", *OPTIONS, "/srv/first.tar")
    assert code == 0, said
    assert changed(before, blank.state()) == set()


def test_the_first_start_takes_settings_from_the_card(blank: Blank) -> None:
    """As on a device that was started from a ready card, which has no key either."""
    given = SETTINGS.replace("checkpoint_s = 1", "checkpoint_s = 2")
    blank.run("rm", "-r", "/var/lib/edge-fea/keys")
    # Written by an editor on Windows.
    blank.write("/boot/firmware/edge-fea.toml", given.replace("\n", "\r\n"))
    # What an image has, and a blank Debian lacks: an operator, and iwd.
    blank.run("useradd", "--create-home", "--uid", "1000", "carer")
    blank.run("install", "-d", "-m", "0700", "/var/lib/iwd")
    blank.run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", "/root/me")
    key = blank.run("cat", "/root/me.pub")
    blank.write("/boot/firmware/edge-fea-keys.txt", key)
    blank.write("/boot/firmware/edge-fea-timezone.txt", "Europe/Berlin\n")
    blank.write("/boot/firmware/edge-fea-wifi.txt", "ssid=Ward 3\npassphrase=a long word\n")
    blank.run("systemctl", "start", "edge-fea-first-boot.service")
    assert blank.run("cat", "/etc/edge-fea/edge-fea.toml") == given
    keys = "/home/carer/.ssh/authorized_keys"
    assert (blank.run("cat", keys), blank.run("stat", "-c", "%a %U", keys)) == (key, "600 carer\n")
    assert blank.run("readlink", "/etc/localtime") == "/usr/share/zoneinfo/Europe/Berlin\n"
    assert "Passphrase=a long word" in blank.run("cat", "/var/lib/iwd/Ward 3.psk")
    assert blank.run("ls", "/boot/firmware").split() == ["edge-fea.toml.taken"]
    key = "/var/lib/edge-fea/keys/device.pem"
    assert blank.run("stat", "-c", "%a %U %G", key) == "640 edge-fea edge-fea\n"


def test_wrong_settings_on_the_card_are_told_there(blank: Blank) -> None:
    before = blank.run("cat", "/etc/edge-fea/edge-fea.toml")
    blank.write("/boot/firmware/edge-fea.toml", "[capture]\nframe_rat = 4\n")
    assert blank.try_run("systemctl", "start", "edge-fea-first-boot.service")[0] != 0
    assert blank.show("ExecMainStatus", "edge-fea-first-boot.service") == "78"
    assert blank.run("cat", "/etc/edge-fea/edge-fea.toml") == before
    assert "frame_rat" in blank.run("cat", "/boot/firmware/edge-fea-problem.txt")
    # Mended: it is taken, and the complaint goes.
    blank.write("/boot/firmware/edge-fea.toml", SETTINGS)
    blank.run("systemctl", "start", "edge-fea-first-boot.service")
    assert blank.run("ls", "/boot/firmware").split() == ["edge-fea.toml.taken"]
    assert blank.run("cat", "/etc/edge-fea/edge-fea.toml") == SETTINGS


def test_it_analyses_a_film_and_writes_a_report(blank: Blank) -> None:
    blank.run("install", "-d", "-o", "edge-fea", "/srv-out")
    found = "--database", "/srv-out/study.db"
    blank.edge_fea(*found, "analyze", "--patient", "P017", "/opt/film.avi")
    assert blank.edge_fea(*found, "clips", "--format", "csv").count("P017") == 1
    blank.edge_fea(*found, "report", "--patient", "P017", "--pdf", "-o", "/srv-out/P017.pdf")
    assert blank.run("head", "-c", "5", "/srv-out/P017.pdf") == "%PDF-"


@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", ["wrong", "silent", "migrates"])
def test_a_broken_release_is_taken_back(blank: Blank, name: str) -> None:
    before, recorded, seen = release(blank), clips(blank), steps(blank)
    code, said = blank.script(f"{name}/{UPGRADE}", *OPTIONS, f"/srv/{name}")
    assert code == 70, said
    assert release(blank) == before
    blank.until(lambda: blank.show("ActiveState") == "active", blank.journal())
    assert steps(blank) == seen
    assert clips(blank) >= recorded
    assert "bad" not in blank.doctor().values(), blank.doctor()
    # The self-check of the first one failed before the service was stopped.
    assert ("goes on, untouched" in said) == (name == "wrong"), said
    assert len(blank.run("ls", "/opt/edge-fea/releases").split()) == 1


@pytest.mark.timeout(600)
def test_a_newer_release_takes_over_with_the_database(blank: Blank) -> None:
    recorded, seen = clips(blank), steps(blank)
    code, said = blank.script(f"newer/{UPGRADE}", *OPTIONS, "/srv/newer")
    assert code == 0, said
    assert release(blank) == "0.2.0"
    assert clips(blank) > recorded
    assert steps(blank) - seen == {NEW_STEP}
    assert len(blank.run("ls", "/opt/edge-fea/releases").split()) == 2
    assert "bad" not in blank.doctor().values(), blank.doctor()


@pytest.mark.timeout(600)
def test_going_back_by_hand_brings_a_database_that_can_be_read(blank: Blank) -> None:
    code, said = blank.script(f"newer/{UPGRADE}", "--roll-back")
    assert code == 0, said
    assert release(blank) != "0.2.0"
    assert NEW_STEP not in steps(blank)
    assert steps(blank) >= known()
    blank.until(lambda: blank.show("ActiveState") == "active", blank.journal())
    # And forth again: the database is brought up to date once more, and nothing is put back.
    code, said = blank.script(f"newer/{UPGRADE}", "--roll-back")
    assert code == 0, said
    assert release(blank) == "0.2.0"
    assert "restored" not in said


MARKER = "/opt/edge-fea/upgrade-unfinished"


def cut_off(blank: Blank) -> None:
    """As a plug pulled before the new release was proved leaves it."""
    new, old = (
        blank.run("readlink", "-f", f"/opt/edge-fea/{link}").strip()
        for link in ("current", "previous")
    )
    backup = blank.run("cat", f"{old}/BACKUP").strip()
    assert NEW_STEP in steps(blank)
    blank.write(MARKER, f"{old}\n{new}\n{backup}\n")


@pytest.mark.timeout(600)
def test_an_upgrade_that_was_cut_off_is_taken_back_at_the_next_start(blank: Blank) -> None:
    assert blank.show("UnitFileState", "edge-fea-upgrade.service") == "enabled"
    cut_off(blank)
    blank.cut_power()
    blank.boot()
    unit = "edge-fea-upgrade.service"
    said = blank.run("journalctl", "-b", "-u", unit, "-o", "cat", "--no-pager")
    assert blank.show("Result", unit) == "success", said
    assert "restored; the former database is" in said
    assert release(blank) != "0.2.0"
    assert NEW_STEP not in steps(blank)
    assert blank.try_run("test", "-e", MARKER)[0] == 1
    blank.until(lambda: blank.show("ActiveState") == "active", blank.journal())
    assert blank.show("NRestarts") == "0"


@pytest.mark.timeout(900)
def test_an_upgrade_that_was_cut_off_is_taken_back_before_another(blank: Blank) -> None:
    assert blank.script(f"newer/{UPGRADE}", *OPTIONS, "/srv/newer")[0] == 0
    cut_off(blank)
    code, said = blank.script(f"newer/{UPGRADE}", *OPTIONS, "/srv/newer")
    assert (code, "was cut off" in said) == (0, True), said
    assert "restored; the former database is" in said
    assert release(blank) == "0.2.0"
    assert blank.try_run("test", "-e", MARKER)[0] == 1


def test_removal_keeps_what_was_recorded(blank: Blank) -> None:
    recorded = clips(blank)
    assert recorded > 0
    code, said = blank.try_run("/opt/edge-fea/current/deploy/uninstall.sh")
    assert code == 0, said
    for path in ("/opt/edge-fea", "/usr/local/bin/edge-fea", "/etc/pam.d/edge-fea",
                 "/etc/ssh/sshd_config.d/60-edge-fea.conf",
                 "/etc/systemd/system/edge-fea.service",
                 "/etc/systemd/system/edge-fea-upgrade.service"):  # fmt: skip
        assert blank.try_run("test", "-e", path)[0] == 1, path
    assert "edge-fea" not in blank.run("cat", "/etc/pam.d/sshd")
    assert blank.try_run("id", "clinician")[0] != 0
    assert "edge-fea" not in blank.run("ls", "/etc/systemd/system/multi-user.target.wants")
    assert blank.run("ls", "/var/lib/edge-fea").split().count("edge-fea.db") == 1
    blank.run("/usr/sbin/sshd", "-t")


def test_purging_needs_a_yes(blank: Blank) -> None:
    code, said = blank.script("first/deploy/uninstall.sh", "--purge")
    assert (code, "--yes" in said) == (77, True), said
    assert blank.try_run("test", "-e", DATABASE)[0] == 0
    code, said = blank.script("first/deploy/uninstall.sh", "--purge", "--yes")
    assert code == 0, said
    for path in ("/var/lib/edge-fea", "/etc/edge-fea", "/var/backups/edge-fea"):
        assert blank.try_run("test", "-e", path)[0] == 1, path
    assert blank.try_run("id", "edge-fea")[0] != 0
