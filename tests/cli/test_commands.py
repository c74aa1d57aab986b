"""Every command has help, and every error reaches people as one line and an exit code."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from edge_fea import __version__, errors
from edge_fea.cli import cli
from edge_fea.errors import EdgeFeaError, NotFoundError, SourceStalled
from tests.cli.conftest import Run


def commands(group: click.Group, names: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    yield names
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from commands(command, (*names, name))
        else:
            yield (*names, name)


ALL = list(commands(cli))
ERRORS = [
    kind
    for kind in vars(errors).values()
    if isinstance(kind, type) and issubclass(kind, EdgeFeaError)
]


@pytest.mark.parametrize("names", ALL, ids=" ".join)
@pytest.mark.parametrize("option", ["--help", "-h"])
def test_every_command_has_help(run: Run, names: tuple[str, ...], option: str) -> None:
    done = run(*names, option)
    assert done.exit_code == 0
    described = [line for line in done.stdout.splitlines()[1:] if line and line[2:3] != "-"]
    assert described[0].strip()[0].isupper()


@pytest.mark.parametrize("names", ALL, ids=" ".join)
def test_every_option_says_what_it_is_for(names: tuple[str, ...]) -> None:
    command: click.Command = cli
    for name in names:
        assert isinstance(command, click.Group)
        command = command.commands[name]
    options = [option for option in command.params if isinstance(option, click.Option)]
    assert [option.name for option in options if not option.help] == []


def test_help_lists_every_command_with_a_line(run: Run) -> None:
    listing = run("--help").stdout.partition("Commands:")[2]
    for name in cli.commands:
        (line,) = [line for line in listing.splitlines() if line.split()[:1] == [name]]
        assert len(line.split()) > 3


def test_help_says_that_it_is_no_diagnostic_device(run: Run) -> None:
    assert "Not a diagnostic device" in run("--help").stdout


def test_help_names_every_exit_code(run: Run) -> None:
    text = run("--help").stdout
    codes = {kind.exit_code for kind in ERRORS} - {1}
    assert {code for code in codes if str(code) not in text} == set()


def test_the_version_is_the_packages(run: Run) -> None:
    assert run("--version").stdout == f"edge-fea, version {__version__}\n"


def test_an_unknown_command_is_a_wrong_command_line(run: Run) -> None:
    done = run("recrod")
    assert done.exit_code == 2
    assert "No such command 'recrod'" in done.stderr


def failing(kind: type[EdgeFeaError]) -> EdgeFeaError:
    return kind("what to do", 1.0) if issubclass(kind, SourceStalled) else kind("what to do")


@pytest.mark.parametrize("kind", ERRORS)
def test_an_error_is_one_line_on_stderr_and_its_exit_code(
    run: Run, database: Path, monkeypatch: pytest.MonkeyPatch, kind: type[EdgeFeaError]
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise failing(kind)

    monkeypatch.setattr("edge_fea.cli.read.ClipReader", fail)
    done = run("--database", database, "clips")
    assert (done.exit_code, done.stderr, done.stdout) == (
        kind.exit_code,
        "edge-fea: what to do\n",
        "",
    )


def test_debug_shows_where_an_error_came_from(run: Run) -> None:
    done = run("--debug", "--database", "none.db", "clips")
    assert "Traceback (most recent call last)" in done.stderr
    assert "NotFoundError" in done.stderr
    assert done.stderr.splitlines()[-1].startswith("edge-fea: no database none.db")
    assert done.exit_code == NotFoundError.exit_code


def test_a_bug_is_not_passed_off_as_an_error_of_the_user(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edge_fea.cli.read.ClipReader", lambda *_, **__: 1 / 0)
    done = run("--database", "x.db", "clips")
    assert done.exit_code == 1
    assert isinstance(done.exception, ZeroDivisionError)


def shell(line: str, folder: Path) -> "subprocess.CompletedProcess[str]":
    """Runs a line in a shell of its own, in which ``edge-fea`` is the command."""
    return subprocess.run(
        ["bash", "-c", line.replace("edge-fea", f"{sys.executable} -m edge_fea")],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_the_module_is_the_command(tmp_path: Path) -> None:
    done = shell("edge-fea --database none.db clips", tmp_path)
    assert (done.returncode, done.stdout) == (66, "")
    assert done.stderr == "edge-fea: no database none.db: nothing has been recorded there\n"


# More than what is kept before it is written, and less.
@pytest.mark.parametrize("command", ["clips --format csv", "summary --patient P07 --format csv"])
def test_a_pipe_that_is_closed_early_ends_it_without_a_word(database: Path, command: str) -> None:
    done = shell(f"edge-fea --database {database.name} {command} | true", database.parent)
    assert done.stderr == ""


@pytest.mark.parametrize("command", [("run",), ("demo",), ("analyze", "x.mp4"), ("clips",)])
def test_a_wrong_setting_is_told_before_anything_is_done(
    run: Run, tmp_path: Path, command: tuple[str, ...]
) -> None:
    (tmp_path / "bad.toml").write_text("[clip]\nlength_s = 60\n")
    done = run("--config", tmp_path / "bad.toml", *command)
    assert done.exit_code == 78
    assert len(done.stderr.splitlines()) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["bad.toml"]
