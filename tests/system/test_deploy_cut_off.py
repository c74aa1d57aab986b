"""An upgrade that is cut off, and how it is taken back: at once, or at the device's next start.

As in test_deploy_upgrade.py, below a folder of the test's. This machine is not changed.
"""

import os
import signal
import subprocess
import time
from collections.abc import Callable

import pytest

from tests.system.box import REPOSITORY
from tests.system.deploy_place import CANNOT_READ, Place

pytestmark = pytest.mark.system


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
    script = (
        "booted() { true; }; is_active() { true; }; journalctl() { :; }; take_turn; "
        "verify_release() { :; }; failing_checks() { :; }; "
        f"start_service() {{ STOPPED=no; touch {started}; sleep {seconds}; {then}; }}; "
        f"upgrade {old} {new}; echo more; touch {place.root}/ended"
    )
    upgrade = subprocess.Popen(
        # Whoever runs the tests in the background has them ignore Ctrl-C.
        ["env", "--default-signal=INT", *place.line(script)],
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
