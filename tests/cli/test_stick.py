"""The command `stick fill`, which needs no rights; `stick write` is tested with real sticks."""

import json
from pathlib import Path

import pytest

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
