"""Upgrade and roll-back, step by step: the scripts' own functions below a folder of the test's.

Releases are edge-fea itself, or a few lines of shell that play one. This machine is not changed.
"""

import contextlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.system.deploy_place import CANNOT_READ, Place

pytestmark = pytest.mark.system


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


def test_sticks_are_stopped_for_an_upgrade_too(place: Place) -> None:
    done = place.ask("booted() { true; }; is_active() { false; }; stop_service")
    assert "edge-fea-usb@*.service" in done.stdout
