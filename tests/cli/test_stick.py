"""The command `stick fill`, which needs no rights; `stick write` is tested with real sticks."""

import json
import os
import pwd
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click.testing
import pytest

from edge_fea.config import StoreSettings
from edge_fea.device.stick import Stick
from edge_fea.store.audit import AuditTrail
from tests.cli.conftest import Run


@pytest.fixture(autouse=True)
def _plain(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("EDGE_FEA_CLINIC__PLAIN_PACKS", "true")
    monkeypatch.setenv("EDGE_FEA_CLINIC__SIGNING_KEY", str(tmp_path / "key.pem"))


def test_the_second_time_there_is_nothing_new(run: Run, database: Path, tmp_path: Path) -> None:
    (tmp_path / "stick").mkdir()
    fill = ("--database", database, "stick", "fill", tmp_path / "stick", "--serial", "4C53")
    first, second = (json.loads(run(*fill).stdout) for _ in range(2))
    assert [each.name for each in (tmp_path / "stick").iterdir()] == [first["name"]]
    assert first["clips"] > 0
    assert set(second.values()) == {None}
    trail = AuditTrail(StoreSettings(database=database).audit, busy_timeout=1)
    assert (trail.rows()[-1]["outcome"], trail.rows()[-1]["note"]) == ("nothing_new", "")


def test_all_comes_once_more_when_it_is_asked_for(run: Run, database: Path, tmp_path: Path) -> None:
    """Into another folder: names are told apart by the second."""
    fill = ("--database", database, "stick", "fill")
    stick = ("--serial", "4C53", "--volume", "1A2B-3C4D")
    for folder, more in (("first", ()), ("again", ("--all",))):
        (tmp_path / folder).mkdir()
        told = json.loads(run(*fill, tmp_path / folder, *stick, *more).stdout)
        assert told["clips"] > 0


def test_of_two_sticks_with_one_serial_number_each_gets_everything(
    run: Run, database: Path, tmp_path: Path
) -> None:
    for volume in ("1A2B-3C4D", "5E6F-7081"):
        (tmp_path / volume).mkdir()
        fill = ("stick", "fill", tmp_path / volume, "--serial", "4C53", "--volume", volume)
        assert json.loads(run("--database", database, *fill).stdout)["clips"] > 0
    rows = AuditTrail(StoreSettings(database=database).audit, busy_timeout=1).rows()
    assert {row["who"] for row in rows} == {"stick:4C53/1A2B-3C4D", "stick:4C53/5E6F-7081"}


def test_without_a_database_it_does_not_say_that_nothing_is_new(run: Run, tmp_path: Path) -> None:
    done = run("--database", tmp_path / "no.db", "stick", "fill", tmp_path, "--serial", "4C53")
    assert (done.exit_code, done.stdout) == (66, "")


@pytest.mark.parametrize("kind", ["missing", "file"])
def test_what_is_no_folder_is_refused_and_no_file_is_made(
    run: Run, database: Path, tmp_path: Path, kind: str
) -> None:
    target = tmp_path / "stick"
    if kind == "file":
        target.write_text("mine")
    done = run("--database", database, "stick", "fill", target, "--serial", "4C53")
    assert done.exit_code == 73
    assert "it is no folder" in done.stderr
    assert target.exists() == (kind == "file")


@pytest.mark.parametrize("serial", ["", "a b", "../x", "x" * 65])
def test_a_serial_number_is_plain(run: Run, database: Path, tmp_path: Path, serial: str) -> None:
    done = run("--database", database, "stick", "fill", tmp_path, "--serial", serial)
    assert done.exit_code == 2
    assert "letters, digits and ._- only" in done.stderr


def test_without_a_device_or_its_user_it_says_so(run: Run, database: Path) -> None:
    gone = run("--database", database, "stick", "write", "/dev/null", "--user", "nobody")
    assert (gone.exit_code, "no block device" in gone.stderr) == (66, True)
    nobody = run("--database", database, "stick", "write", "/dev/null", "--user", "no-such-user")
    assert (nobody.exit_code, "no user no-such-user" in nobody.stderr) == (66, True)


@pytest.fixture
def plugged(run: Run, database: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> "Plugged":
    """A stick that needs no mounting, which any program writes in the place of Python."""

    @contextmanager
    def mounted(*_: object, **__: object) -> Iterator[Path]:
        yield tmp_path

    stick = Stick(Path("/dev/sdx1"), "EDGEFEA", "vfat", "4C53", "1A2B")
    monkeypatch.setattr("edge_fea.cli.stick.examine", lambda *_: stick)
    monkeypatch.setattr("edge_fea.cli.stick.mounted", mounted)
    monkeypatch.setenv("EDGE_FEA_INDICATOR__REQUESTS", str(tmp_path / "light"))
    return Plugged(run, database, tmp_path, monkeypatch)


class Plugged:
    def __init__(
        self, run: Run, database: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        self._run, self._database, self._folder = run, database, folder
        self._monkeypatch = monkeypatch

    def written_by(self, script: str, mode: int = 0o755) -> click.testing.Result:
        program = self._folder / "program"
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(mode)
        self._monkeypatch.setattr("sys.executable", str(program))
        user = pwd.getpwuid(os.getuid()).pw_name
        write = ("stick", "write", "/dev/sdx1", "--user", user)
        return self._run("--database", self._database, *write)

    def told(self) -> list[tuple[str, str, str]]:
        trail = AuditTrail(StoreSettings(database=self._database).audit, busy_timeout=1)
        return [(row["who"], row["outcome"], row["note"]) for row in trail.rows()]

    def sign(self) -> str:
        return (self._folder / "light").read_text().split()[0]


@pytest.mark.skipif(os.getuid() != 0, reason="gives rights away: needs root")
@pytest.mark.parametrize(
    ("script", "mode", "code", "why", "note"),
    [
        ("exit 0", 0o644, 73, "cannot run", "OutputUnwritable"),
        ("kill -9 $$", 0o755, 73, "killed by signal 9 (too little memory?)", "OutputUnwritable"),
        ("exit 78", 0o755, 78, "", "exit code 78"),
    ],
)
def test_a_pack_whose_process_fails_before_its_first_row_is_on_record(
    plugged: Plugged, script: str, mode: int, code: int, why: str, note: str
) -> None:
    done = plugged.written_by(script, mode)
    assert done.exit_code == code, done.stderr
    assert why in done.stderr
    assert "Traceback" not in done.stderr
    assert plugged.told() == [("stick:4C53/1A2B", "failed", note)]
    assert plugged.sign() == "usb-failed"
