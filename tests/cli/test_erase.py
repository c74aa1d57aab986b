"""patient erase and retention on the command line, also while the device records."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from datetime import timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from edge_fea.cli import cli
from edge_fea.store.clips import ClipFilter, ClipReader, ClipRecorder
from tests.cli.conftest import Run, record
from tests.conftest import NOON, FakeClock
from tests.store.clip_factory import START, make_clip

WRITER = """
import sys
from pathlib import Path
from edge_fea.store.clips import ClipRecorder
from tests.conftest import NOON, FakeClock
from tests.store.clip_factory import make_clip
with ClipRecorder(Path(sys.argv[1]), busy_timeout=30, now=NOON) as recorder:
    for number in range(100_000):
        recorder.save(make_clip(1000 + 5 * (number // 10), patient="P09", seen=70, missed=10,
                                ended_by=None if number % 10 < 9 else "full"))
        if number == 5:
            print("recording", flush=True)
"""


@pytest.fixture
def recording(database: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that records P09 into the same database as fast as it can."""
    process = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(database)],
        cwd=Path(__file__).parents[2],
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        assert process.stdout is not None
        assert process.stdout.readline() == "recording\n"
        yield process
        process.kill()


def patients(database: Path) -> list[str]:
    with ClipReader(database, busy_timeout=5) as reader:
        return reader.patients(ClipFilter(running=True))


def trail(run: Run, database: Path) -> list[dict]:
    return json.loads(run("--database", database, "audit", "--format", "json").stdout)


def asked(database: Path, answer: str) -> Result:
    arguments = ["--database", str(database), "patient", "erase", "P07"]
    return CliRunner().invoke(cli, arguments, input=answer)


def test_it_asks_first_and_tells_what_is_to_go(run: Run, database: Path) -> None:
    damaged = database.with_name(f"{database.name}.damaged-1")
    damaged.write_bytes(b"x")
    refused = asked(database, "n\n")
    assert refused.exit_code == 1
    assert "patient P07: 6 rows are to be removed" in refused.output
    assert f"to be deleted, damaged or half made: {damaged}" in refused.output
    assert patients(database) == ["P07", "P08"]
    assert damaged.exists()
    assert asked(database, "y\n").exit_code == 0
    assert patients(database) == ["P08"]
    assert not damaged.exists()


def test_what_was_done_is_told_and_on_record(run: Run, database: Path) -> None:
    done = run("--database", database, "patient", "erase", "P07", "--yes")
    assert done.exit_code == 0, done.output
    assert done.output.startswith("patient P07: 6 rows removed\n")
    assert "for pseudonym, clips and figures: 0 found" in done.output
    begun, ended = trail(run, database)
    assert (begun["action"], begun["outcome"], ended["outcome"]) == ("erase", "begun", "done")
    assert ended["note"].startswith("6 rows removed, ")
    assert ended["patient_refs"]
    mine = run("--database", database, "audit", "--patient", "P07", "--format", "json")
    assert len(json.loads(mine.stdout)) == 2


def test_the_patient_who_is_here_is_not_erased_and_the_attempt_is_on_record(
    run: Run, database: Path
) -> None:
    run("--database", database, "patient", "start", "P07")
    refused = run("--database", database, "patient", "erase", "P07", "--yes")
    assert refused.exit_code == 77
    assert "end the stay first" in refused.stderr
    assert [row["outcome"] for row in trail(run, database)] == ["begun", "refused"]
    run("--database", database, "patient", "end")
    assert run("--database", database, "patient", "erase", "P07", "--yes").exit_code == 0


def test_the_patient_whom_the_settings_name_is_not_erased(
    run: Run, database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EDGE_FEA_DEVICE__PATIENT", "P07")
    refused = run("--database", database, "patient", "erase", "P07", "--yes")
    assert refused.exit_code == 77
    assert "device.patient in the settings is P07" in refused.stderr
    assert patients(database) == ["P07", "P08"]


def test_clips_of_nobody_may_be_erased(run: Run, database: Path) -> None:
    with ClipRecorder(database, busy_timeout=1, now=NOON) as recorder:
        recorder.save(make_clip(90, patient="unassigned"))
    done = run("--database", database, "patient", "erase", "unassigned", "--yes")
    assert done.exit_code == 0, done.output
    assert patients(database) == ["P07", "P08"]


def test_what_is_found_afterwards_is_an_error(run: Run, database: Path) -> None:
    database.with_name("mail.txt").write_text("P07 asked about his clips")
    failed = run("--database", database, "patient", "erase", "P07", "--yes")
    assert failed.exit_code == 74
    assert "1 in " in failed.stderr
    assert "mail.txt" in failed.stderr
    assert trail(run, database)[-1]["note"] == "ErasureIncomplete"


def test_backups_in_another_place_are_named(
    run: Run, database: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("EDGE_FEA_BACKUP__FOLDER", str(tmp_path / "second"))
    (tmp_path / "second").mkdir()
    assert run("--database", database, "backup").exit_code == 0
    done = run("--database", database, "patient", "erase", "P07", "--yes")
    assert done.exit_code == 0
    (backup,) = (tmp_path / "second").iterdir()
    assert f"may still be in the backup {backup}: delete it" in done.stderr


def test_a_name_with_a_slip_is_told_so(run: Run, database: Path) -> None:
    failed = run("--database", database, "patient", "erase", "P7", "--yes")
    assert failed.exit_code == 66
    assert "nothing of a patient P7" in failed.stderr
    assert run("--database", database, "patient", "erase", "Jane Doe", "--yes").exit_code == 78
    assert patients(database) == ["P07", "P08"]


def test_a_database_that_is_not_there_is_not_made(run: Run, tmp_path: Path) -> None:
    for arguments in (["patient", "erase", "P07"], ["patient", "erase", "P07", "--yes"]):
        assert run("--database", tmp_path / "none.db", *arguments).exit_code == 66
    assert not (tmp_path / "none.db").exists()


def test_whoever_may_not_write_there_is_told_so(
    run: Run,
    public_folder: Path,
    unprivileged: Callable[[], AbstractContextManager[None]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("EDGE_FEA_STORE__RETENTION_DAYS", "30")
    (public_folder / "device").mkdir()
    database = record(public_folder / "device" / "a.db", make_clip())
    database.parent.chmod(0o700)
    commands = (["patient", "erase", "P07", "--yes"], ["retention"], ["audit"])
    # Loaded while this user may still read Python's own files, and pytest's folder.
    for arguments in commands:
        run(arguments[0], "--help")
    monkeypatch.setattr("edge_fea.config.layers.DEFAULT_FILE", public_folder / "none.toml")
    with unprivileged():
        for arguments in commands:
            failed = run("--database", database, *arguments)
            assert failed.exit_code in (73, 74), failed.output
            assert "Traceback" not in failed.output


def test_it_works_while_another_process_records(
    run: Run, database: Path, recording: subprocess.Popen[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EDGE_FEA_STORE__BUSY_TIMEOUT_S", "30")
    for patient in ("P07", "P08"):
        done = run("--database", database, "patient", "erase", patient, "--yes")
        assert done.exit_code == 0, done.output
    assert recording.poll() is None
    assert patients(database) == ["P09"]


def test_retention_erases_what_is_too_old(
    run: Run, database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edge_fea.cli.erase.SystemClock", lambda: FakeClock(wall=START))
    monkeypatch.setenv("EDGE_FEA_STORE__RETENTION_DAYS", "30")
    with ClipRecorder(database, busy_timeout=1, now=NOON) as recorder:
        recorder.save(make_clip(-60 * 24 * 31))
    done = run("--database", database, "retention")
    assert done.exit_code == 0, done.output
    assert "older than 30 days, and erased: 1 clips" in done.output
    assert trail(run, database)[-1]["action"] == "retention"
    again = run("--database", database, "retention")
    assert again.output == "nothing is older than 30 days\n"
    assert patients(database) == ["P07", "P08"]


def test_without_a_policy_nothing_goes(run: Run, database: Path) -> None:
    done = run("--database", database, "retention")
    assert done.output == "store.retention_days is 0: clips are kept for ever\n"
    assert done.exit_code == 0


def test_a_clock_that_may_be_wrong_is_asked_about(
    database: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    ahead = FakeClock(wall=NOON + timedelta(days=4000), right=False)
    monkeypatch.setattr("edge_fea.cli.erase.SystemClock", lambda: ahead)
    monkeypatch.setenv("EDGE_FEA_STORE__RETENTION_DAYS", "30")
    arguments = ["--database", str(database), "retention"]
    result = CliRunner().invoke(cli, arguments, input="n\n")
    assert result.exit_code == 1
    assert "the clock says 2037-" in result.output
    assert "is not known to be right: 3 clips" in result.output
    assert patients(database) == ["P07", "P08"]
    assert CliRunner().invoke(cli, arguments, input="y\n").exit_code == 0
    assert patients(database) == ["P07"]
