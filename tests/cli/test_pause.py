"""edge-fea pause."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from edge_fea.capture.clock import SystemClock
from edge_fea.device.pausing import pause_file
from tests.cli.conftest import Run


@pytest.fixture
def database(tmp_path: Path) -> Path:
    """None yet: a pause needs no database."""
    return tmp_path / "a.db"


@pytest.fixture
def in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """A quarter past one at night in Berlin, an hour before its clocks go forward."""
    monkeypatch.setenv("EDGE_FEA_DEVICE__TIME_ZONE", "Europe/Berlin")
    monkeypatch.setattr(SystemClock, "synchronized", lambda _: True)
    monkeypatch.setattr(SystemClock, "monotonic", lambda _: 1000.0)
    monkeypatch.setattr(SystemClock, "now", lambda _: datetime(2026, 3, 29, 0, 15, tzinfo=UTC))


def test_without_a_pause_it_says_so(run: Run, database: Path) -> None:
    assert run("--database", database, "pause").stdout == "not paused\n"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("30m", "another 30 min, until 01:45"),
        ("2h", "another 120 min, until 04:15"),  # the clocks go forward in between
        ("1h30m", "another 90 min, until 03:45"),
        ("45s", "another 45 s, until 01:15"),
        ("24h", "another 1440 min, until 02:15"),
    ],
)
@pytest.mark.usefixtures("in_time")
def test_a_pause_is_begun_told_and_ended(run: Run, database: Path, text: str, told: str) -> None:
    assert told in run("--database", database, "pause", "--for", text).stdout
    assert told in run("--database", database, "pause").stdout
    assert pause_file(database).exists()
    assert run("--database", database, "pause", "--end").stdout == "not paused\n"
    assert not pause_file(database).exists()


@pytest.mark.parametrize(
    ("text", "minutes"), [("14:00", 11 * 60 + 45), ("01:15", 23 * 60), ("01:14", 22 * 60 + 59)]
)
@pytest.mark.usefixtures("in_time")
def test_until_is_the_next_time_that_comes(
    run: Run, database: Path, text: str, minutes: int
) -> None:
    done = run("--database", database, "pause", "--until", text)
    assert done.stdout == f"paused for another {minutes} min, until {text}\n"


def test_until_needs_a_clock_that_is_right(
    run: Run, database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(SystemClock, "synchronized", lambda _: False)
    done = run("--database", database, "pause", "--until", "14:00")
    assert done.exit_code == 77
    assert "use --for" in done.stderr
    done = run("--database", database, "pause", "--for", "30m")
    assert done.stdout == "paused for another 30 min\n"


@pytest.mark.parametrize("text", ["30", "half an hour", "-5m", "", "5d", "9s", "25h", "1.5h"])
def test_a_time_that_makes_no_sense_is_a_wrong_command_line(
    run: Run, database: Path, text: str
) -> None:
    done = run("--database", database, "pause", "--for", text)
    assert done.exit_code == 2
    assert "30m, 2h or 1h30m" in done.stderr or "10s to 24h" in done.stderr


def test_only_one_wish_at_a_time(run: Run, database: Path) -> None:
    done = run("--database", database, "pause", "--for", "30m", "--end")
    assert done.exit_code == 2
    assert "one of --for, --until and --end" in done.stderr


def test_to_end_what_is_not_there_is_no_error(run: Run, database: Path) -> None:
    done = run("--database", database, "pause", "--end")
    assert (done.exit_code, done.stdout) == (0, "not paused\n")


def test_a_folder_that_cannot_be_used_is_named(run: Run, tmp_path: Path) -> None:
    done = run("--database", tmp_path / "none" / "a.db", "pause", "--for", "30m")
    assert done.exit_code == 73
    assert "none/a.db.pause" in done.stderr
    assert "sudo -u edge-fea" in done.stderr
