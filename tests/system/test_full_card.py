"""No room: a pack leaves nothing behind, and an erasure says what is still to be done."""

import os
import subprocess
import sys
from datetime import date
from pathlib import Path

import pytest

from tests.clinic.simulated import Plan, simulate

pytestmark = pytest.mark.system

EDGE_FEA = f"{sys.executable} -m edge_fea"


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A day of one patient and ten of another, about 2 MB."""
    path = tmp_path_factory.mktemp("recorded") / "a.db"
    for month, patient, days in ((3, "P07", 1), (6, "P08", 10)):
        simulate(path, patient=patient, plan=Plan(days=days, first_day=date(2026, month, 1)))
    return path


def in_namespace(script: str, mount: Path, recorded: Path, keys: Path) -> list[str]:
    """What a shell script says that may mount things on ``mount``; needs root."""
    environment = {
        **os.environ,
        "MOUNT": str(mount),
        "RECORDED": str(recorded),
        "EDGE_FEA_CLINIC__PLAIN_PACKS": "true",
        "EDGE_FEA_CLINIC__SIGNING_KEY": str(keys / "device.pem"),
    }
    done = subprocess.run(
        ["unshare", "--mount", "bash", "-uc", f"exec 2>&1; {script}"],
        env=environment,
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert "Traceback" not in done.stdout, done.stdout
    return done.stdout.splitlines()


def test_a_stick_without_room_gets_nothing_and_that_is_on_record(
    recorded: Path, tmp_path: Path
) -> None:
    stick, keys = tmp_path / "stick", tmp_path / "keys"
    stick.mkdir()
    lines = in_namespace(
        f"""
        mount -t tmpfs -o size=64k none $MOUNT
        {EDGE_FEA} --database $RECORDED pack -o $MOUNT; echo "code $?"
        echo "left: $(ls -A $MOUNT)"
        {EDGE_FEA} --database $RECORDED audit --format csv | tail -1
        mount -o remount,size=64m $MOUNT
        {EDGE_FEA} --database $RECORDED pack -o $MOUNT > /dev/null; echo "again $?"
        ls -A $MOUNT | wc -l
        """,
        stick,
        recorded,
        keys,
    )
    assert "no space left" in lines[0]
    assert lines[1] == "code 74"
    assert lines[2] == "left: "
    assert ",pack,failed," in lines[3]
    assert ",OutputFull," in lines[3]
    assert lines[-2:] == ["again 0", "1"]


def test_an_erasure_without_room_removes_the_rows_and_says_what_is_left_to_do(
    recorded: Path, tmp_path: Path
) -> None:
    card, keys = tmp_path / "card", tmp_path / "keys"
    card.mkdir()
    lines = in_namespace(
        f"""
        mount -t tmpfs -o size=32m none $MOUNT
        cp $RECORDED $MOUNT/a.db
        {EDGE_FEA} --database $MOUNT/a.db pack -o $MOUNT/warm > /dev/null; rm $MOUNT/warm
        # Room for the journal of the rows, not for the database once more.
        head -c $(( $(df --output=avail -B1 $MOUNT | tail -1) - 1200000 )) /dev/zero > $MOUNT/full
        {EDGE_FEA} --database $MOUNT/a.db patient erase P07 --yes; echo "code $?"
        rm $MOUNT/full
        {EDGE_FEA} --database $MOUNT/a.db clips --patient P07
        {EDGE_FEA} --database $MOUNT/a.db patient erase P07 --yes; echo "again $?"
        """,
        card,
        recorded,
        keys,
    )
    text = "\n".join(lines)
    assert "code 74" in lines, text
    assert "are removed and overwritten, but" in text
    assert "no clips" in lines, text
    assert "0 found" in text
    assert lines[-1] == "again 0"
