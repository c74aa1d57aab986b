"""Upgrade and roll-back, step by step: the scripts' own functions below a folder of the test's.

Releases are edge-fea itself, or a few lines of shell that play one. This machine is not changed.
"""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from edge_fea.store.clips import ClipFilter, ClipReader, ClipRecorder
from tests.conftest import NOON
from tests.store.clip_factory import make_clip
from tests.system.box import REPOSITORY

pytestmark = pytest.mark.system

PLACES = ("/opt/edge-fea", "/var/backups/edge-fea", "/var/lib/edge-fea", "/etc/edge-fea",
          "/etc/systemd/system", "/etc/udev/rules.d", "/usr/local/bin", "/run/lock")  # fmt: skip
# No account is changed to, no systemd asked, and root is not needed.
ALONE = 'as_account() { "$@"; }; booted() { false; }; systemctl() { echo "systemctl $*"; }; '


@dataclass
class Place:
    """A copy of the scripts for which ``root`` is the whole system."""

    root: Path
    deploy: Path

    @property
    def database(self) -> Path:
        return self.root / "elsewhere" / "numbers.db"

    @property
    def backups(self) -> Path:
        return self.root / "var/backups/edge-fea"

    @property
    def marker(self) -> Path:
        return self.root / "opt/edge-fea/upgrade-unfinished"

    def line(self, script: str) -> list[str]:
        """A line with the library, as a command."""
        library = f'HERE={self.deploy}; set -euo pipefail; . "$HERE/lib/all.sh"; {ALONE}'
        return ["bash", "-c", f"{library} make_scratch; {script}"]

    def ask(self, script: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run a line with the library."""
        return subprocess.run(
            self.line(script),
            env={**os.environ, "PYTHONPATH": str(REPOSITORY), **environment},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    def release(self, name: str, script: str = "") -> Path:
        """A release: edge-fea itself, or a shell script in its place."""
        folder = self.root / "opt/edge-fea/releases" / name
        (folder / "bin").mkdir(parents=True)
        (folder / "COMPLETE").touch()
        for part in ("systemd", "deploy/udev"):
            shutil.copytree(REPOSITORY / part, folder / part)
        file = folder / "bin/edge-fea"
        settings = self.root / "etc/edge-fea/edge-fea.toml"
        itself = f'exec {sys.executable} -m edge_fea --config {settings} "$@"'
        file.write_text(f"#!/bin/sh\n{script or itself}\n")
        file.chmod(0o755)
        return folder

    def use(self, release: Path, name: str = "current") -> None:
        (self.root / "opt/edge-fea" / name).symlink_to(f"releases/{release.name}")

    def current(self) -> str:
        return (self.root / "opt/edge-fea/current").resolve().name

    def clips(self) -> int:
        with ClipReader(self.database, busy_timeout=1) as reader:
            return reader.count(ClipFilter(running=True))

    def record(self, minute: int) -> None:
        with ClipRecorder(self.database, busy_timeout=1, now=NOON) as recorder:
            recorder.save(make_clip(minute))


@pytest.fixture
def place(tmp_path: Path) -> Place:
    root = tmp_path / "root"
    deploy = Path(shutil.copytree(REPOSITORY / "deploy", tmp_path / "deploy"))
    for part in (*PLACES, "/elsewhere"):
        (root / part.lstrip("/")).mkdir(parents=True)
    for script in (deploy / "lib").glob("*.sh"):
        text = script.read_text()
        for part in PLACES:
            text = text.replace(part, f"{root}{part}")
        script.write_text(text)
    made = Place(root, deploy)
    (root / "etc/edge-fea/edge-fea.toml").write_text(
        f'[store]\ndatabase = "{made.database}"\n[device]\nid = "bed-9"\n'
    )
    made.record(0)
    return made


@contextlib.contextmanager
def reading(database: Path, seconds: float) -> Iterator[None]:
    """Somebody who reads for so long, as a clinician's report does."""
    script = (
        "import sqlite3, sys, time; d = sqlite3.connect(sys.argv[1]); d.execute('BEGIN'); "
        "d.execute('SELECT count(*) FROM clips').fetchone(); print(1, flush=True); "
        "time.sleep(float(sys.argv[2]))"
    )
    reader = subprocess.Popen(
        [sys.executable, "-c", script, database, str(seconds)], stdout=subprocess.PIPE
    )
    assert reader.stdout is not None
    reader.stdout.readline()
    try:
        yield
    finally:
        reader.kill()
        reader.communicate()


def test_the_database_is_backed_up_where_the_settings_have_it(place: Place) -> None:
    old = place.release("1")
    done = place.ask(f"back_up {old}")
    assert done.returncode == 0, done.stderr
    (made,) = place.backups.iterdir()
    assert done.stdout == f"{made}\n"
    assert made.name.startswith("edge-fea-bed-9-")


def test_a_database_that_cannot_be_told_is_no_upgrade_without_a_backup(place: Place) -> None:
    old = place.release("1", """[ "$1" != config ] || echo 'store.database = "a\\"b"  # file'""")
    done = place.ask(f"back_up {old} || echo refused")
    assert done.stdout == "refused\n"
    assert "store.database" in done.stderr


def test_the_upgrades_own_backup_is_taken_whatever_else_is_there(place: Place) -> None:
    """The device was called zzz once: by its name, that one is the last."""
    former = place.backups / "edge-fea-zzz-29991231T000000Z"
    former.mkdir()
    old = place.release("1")
    said = place.ask(f"back_up {old}").stdout.strip()
    assert Path(said).name.startswith("edge-fea-bed-9-")
    assert former.is_dir()


def test_each_release_has_its_backup_on_record(place: Place) -> None:
    old, new = place.release("1"), place.release("2")
    place.use(old)
    done = place.ask(
        f"verify_release() {{ :; }}; failing_checks() {{ :; }}; start_service() {{ :; }}; "
        f"upgrade {old} {new}"
    )
    assert done.returncode == 0, done.stdout + done.stderr
    (made,) = place.backups.iterdir()
    assert (old / "BACKUP").read_text() == f"{made}\n"
    assert place.ask(f"backup_of {new}").stdout == ""
    assert not place.marker.exists()


@pytest.mark.parametrize("way", ["upgrade {old} {new}", "roll_back {old} '' if-needed"])
def test_that_an_upgrade_has_ended_is_on_the_disk_too(place: Place, way: str) -> None:
    old, new = place.release("1"), place.release("2")
    place.use(old)
    place.marker.touch()
    done = place.ask(
        f"verify_release() {{ :; }}; failing_checks() {{ :; }}; start_service() {{ :; }}; "
        f'sync() {{ [[ -e {place.marker} ]] || echo "without it: sync $*"; }}; '
        f"{way.format(old=old, new=new)}"
    )
    assert done.returncode == 0, done.stderr
    assert f"without it: sync -f {place.root}/opt/edge-fea\n" in done.stdout


CANNOT_READ = """
case $1 in
  clips) echo 'written by a newer edge-fea' >&2; exit 78 ;;
  restore) echo "restoring $3"; touch "$0.restored" ;;
esac
"""


def test_going_back_by_hand_takes_the_releases_own_backup(place: Place) -> None:
    own = place.backups / "edge-fea-bed-9-20261101T000000Z"
    for each in (own, place.backups / "edge-fea-zzz-29991231T000000Z"):
        each.mkdir()
    old, new = place.release("1", CANNOT_READ), place.release("2")
    place.use(new)
    place.use(old, "previous")
    (old / "BACKUP").write_text(f"{own}\n")
    done = place.ask("roll_back_by_hand")
    assert done.returncode == 0, done.stderr
    assert f"restoring {own}\n" in done.stdout
    assert place.current() == "1"


def test_going_back_by_hand_is_refused_where_its_backup_is_gone(place: Place) -> None:
    old, new = place.release("1", CANNOT_READ), place.release("2")
    place.use(new)
    place.use(old, "previous")
    (old / "BACKUP").write_text(f"{place.backups}/edge-fea-bed-9-20261101T000000Z\n")
    done = place.ask("roll_back_by_hand")
    assert (done.returncode, "nothing was changed" in done.stderr) == (66, True), done.stderr
    assert place.current() == "2"


def test_a_reader_of_the_database_is_waited_for(place: Place) -> None:
    old, new = place.release("1"), place.release("2")
    place.use(new)
    backup = place.ask(f"back_up {old}").stdout.strip()
    place.record(5)
    with reading(place.database, seconds=25):
        done = place.ask(f"roll_back {old} {backup} always", RESTORE_PAUSE="1")
    assert done.returncode == 0, done.stderr
    assert "somebody reads the database" in done.stdout
    assert place.clips() == 1


def test_a_reader_who_stays_does_not_keep_the_device_dark(place: Place) -> None:
    """The release before can read what is there: it goes on with that."""
    old, new = place.release("1"), place.release("2")
    place.use(new)
    backup = place.ask(f"back_up {old}").stdout.strip()
    place.record(5)
    with reading(place.database, seconds=600):
        done = place.ask(
            f"start_service() {{ echo started; }}; roll_back {old} {backup} always",
            RESTORE_SECONDS="2",
            RESTORE_PAUSE="1",
        )
    assert (done.returncode, done.stdout.splitlines()[-1]) == (0, "started"), done.stderr
    assert f"the backup {backup} was not put back" in done.stderr
    assert place.current() == "1"
    assert place.clips() == 2


def test_where_it_cannot_read_what_is_there_it_says_so_and_tries_again_at_the_start(
    place: Place,
) -> None:
    busy = CANNOT_READ.replace('echo "restoring $3"; touch "$0.restored"', "exit 75")
    old, new = place.release("1", busy), place.release("2")
    place.use(new)
    place.marker.write_text(f"{old}\n{new}\n/var/backups/x\n")
    done = place.ask(
        f"roll_back {old} /var/backups/x always", RESTORE_SECONDS_AT_MOST="1", RESTORE_PAUSE="1"
    )
    assert (done.returncode, "Restart the device" in done.stderr) == (74, True), done.stderr
    assert place.marker.exists()


def test_at_the_start_nobody_is_told_that_the_service_is_stopped(place: Place) -> None:
    """systemd starts it next."""
    old, new = place.release("1", CANNOT_READ.replace('echo "restoring $3"', "exit 75")), "2"
    place.use(place.release(new))
    place.marker.write_text(f"{old}\n{new}\n/var/backups/x\n")
    done = place.ask("finish_at_start", RESTORE_SECONDS_AT_MOST="1", RESTORE_PAUSE="1")
    assert done.returncode == 74, done.stderr
    assert "is stopped" not in done.stderr
    assert "the service is started, and records nothing" in done.stderr
    assert place.marker.exists()


def test_a_cut_off_upgrade_is_taken_back_at_the_start(place: Place) -> None:
    """Links and database; the service is not touched, which systemd starts next."""
    old, new = place.release("1", CANNOT_READ), place.release("2")
    place.use(new)
    place.marker.write_text(f"{old}\n{new}\n{place.backups}/edge-fea-bed-9-20261101T000000Z\n")
    done = place.ask("booted() { true; }; finish_at_start")
    assert done.returncode == 0, done.stderr
    assert place.current() == "1"
    assert (old / "bin/edge-fea.restored").exists()
    assert not place.marker.exists()
    assert not [line for line in done.stdout.splitlines()
                if line.startswith(("systemctl stop", "systemctl start"))]  # fmt: skip


def test_the_unit_that_takes_it_back_is_there_before_anything_is_changed(place: Place) -> None:
    old, new = place.release("1"), place.release("2")
    place.use(old)
    done = place.ask(
        f"verify_release() {{ :; }}; failing_checks() {{ :; }}; use_release() {{ exit 99; }}; "
        f"upgrade {old} {new}"
    )
    assert done.returncode == 99, done.stderr
    assert "enable edge-fea-upgrade.service" in done.stdout
    assert (place.root / "etc/systemd/system/edge-fea-upgrade.service").exists()
    assert place.marker.read_text().splitlines()[:2] == [str(old), str(new)]


def test_sticks_are_stopped_for_an_upgrade_too(place: Place) -> None:
    done = place.ask("booted() { true; }; is_active() { false; }; stop_service")
    assert "edge-fea-usb@*.service" in done.stdout


@pytest.mark.parametrize(
    ("state", "again"),
    [("active", True), ("activating", True), ("inactive", False), ("failed", False)],
)
def test_a_service_that_still_waits_for_its_camera_comes_back_too(
    place: Place, state: str, again: bool
) -> None:
    """Cut off after the stop: what was there to record is started again."""
    done = place.ask(
        'systemctl() { [[ $1 != show ]] || { echo "$STATE"; return; }; '
        '[[ "$*" != "--quiet is-active"* ]] || { [[ $STATE == active ]]; return; }; '
        'echo "systemctl $*"; }; booted() { true; }; stop_service; exit 99',
        STATE=state,
    )
    assert done.returncode == 99, done.stderr
    assert ("systemctl start --no-block edge-fea.service\n" in done.stdout) == again


@pytest.mark.parametrize("at_start", ["yes", "no"])
def test_the_unit_that_is_at_work_stays_so_that_the_service_waits_for_it(
    place: Place, at_start: str
) -> None:
    old = place.release("1")
    (old / "systemd/edge-fea-upgrade.service").unlink()
    unit = place.root / "etc/systemd/system/edge-fea-upgrade.service"
    unit.touch()
    done = place.ask(f"AT_START={at_start}; apply_system {old}")
    assert done.returncode == 0, done.stderr
    assert unit.exists() == (at_start == "yes")


def upgrade_under_way(place: Place, seconds: int, output: int, then: str) -> subprocess.Popen[str]:
    """An upgrade from 1 to 2, whose new release has been started and is looked at for so long."""
    old, new = place.release("1"), place.release("2")
    place.use(old)
    started = place.root / "started"
    upgrade = subprocess.Popen(
        place.line(
            "booted() { true; }; is_active() { true; }; journalctl() { :; }; take_turn; "
            "verify_release() { :; }; failing_checks() { :; }; "
            f"start_service() {{ STOPPED=no; touch {started}; sleep {seconds}; {then}; }}; "
            f"upgrade {old} {new}; echo more; touch {place.root}/ended"
        ),
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
        stdout=output,
        stderr=output,
        text=True,
        start_new_session=True,
    )
    ends = time.monotonic() + 60
    while not started.exists():
        assert upgrade.poll() is None
        assert time.monotonic() < ends
        time.sleep(0.05)
    return upgrade


@pytest.mark.parametrize("connection", [os.openpty, os.pipe])
@pytest.mark.parametrize("good", [True, False])
def test_an_upgrade_outlasts_the_connection_that_it_was_asked_for_over(
    place: Place, connection: Callable[[], tuple[int, int]], good: bool
) -> None:
    """It goes on to its end, or back with the database, whether anybody reads or not."""
    theirs, ours = connection()
    upgrade = upgrade_under_way(place, 3, ours, "true" if good else "false")
    os.close(ours)
    os.close(theirs)
    place.record(5)
    upgrade.send_signal(signal.SIGHUP)
    assert upgrade.wait(timeout=100) == (0 if good else 70)
    assert (place.root / "ended").exists() == good
    assert place.current() == ("2" if good else "1")
    assert place.clips() == (2 if good else 1)
    assert not place.marker.exists()


@pytest.mark.parametrize(("number", "end"), [(signal.SIGTERM, os.kill), (signal.SIGINT, os.killpg)])
def test_an_upgrade_that_is_ended_is_taken_back_now_and_not_months_later(
    place: Place, number: signal.Signals, end: Callable[[int, int], None]
) -> None:
    """By `kill`, which leaves the command that it waits for; by Ctrl-C, which ends all of them."""
    said = place.root / "said"
    with said.open("w") as output:
        upgrade = upgrade_under_way(place, 8, output.fileno(), "true")
    end(upgrade.pid, number)
    assert upgrade.wait(timeout=60) != 0
    stop, start = [each for each in said.read_text().splitlines()
                   if each.startswith(("systemctl stop", "systemctl start"))][-2:]  # fmt: skip
    assert stop.startswith("systemctl stop edge-fea.service ")
    assert start == "systemctl start --no-block edge-fea-upgrade.service edge-fea.service"
    # What that unit runs finds its marker, and the lock open though a command still runs.
    assert place.marker.exists()
    done = place.ask("take_turn; finish_at_start")
    assert done.returncode == 0, done.stderr
    assert place.current() == "1"


def test_an_upgrade_that_fails_half_way_is_taken_back_now(place: Place) -> None:
    old, new = place.release("1"), place.release("2")
    place.use(old)
    done = place.ask(
        f"booted() {{ true; }}; verify_release() {{ :; }}; failing_checks() {{ :; }}; "
        f"use_release() {{ false; }}; upgrade {old} {new}"
    )
    assert done.returncode == 1, done.stderr
    assert done.stdout.endswith(
        "systemctl start --no-block edge-fea-upgrade.service edge-fea.service\n"
    )


def test_what_could_not_be_taken_back_is_not_tried_again_and_again(place: Place) -> None:
    """74: a person has been told, and the service stays stopped."""
    busy = CANNOT_READ.replace('echo "restoring $3"', "exit 75")
    old, new = place.release("1", busy), place.release("2")
    place.use(new)
    place.marker.write_text(f"{old}\n{new}\n/var/backups/x\n")
    done = place.ask(
        "booted() { true; }; finish_unfinished", RESTORE_SECONDS_AT_MOST="1", RESTORE_PAUSE="1"
    )
    assert done.returncode == 74, done.stderr
    assert "systemctl start" not in done.stdout
