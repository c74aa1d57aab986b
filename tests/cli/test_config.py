"""config: the effective settings, the default file, and the check of a file."""

import tomllib
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from edge_fea.config import Settings
from edge_fea.config.layers import default_file, leaves
from tests.cli.conftest import Run

GOOD = '[capture]\nframe_rate = 2\n[store]\ndatabase = "{folder}/edge-fea.db"\n'


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "edge-fea.toml"
    path.write_text(GOOD.format(folder=tmp_path))
    return path


def test_the_effective_settings_say_where_each_comes_from(
    run: Run, file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EDGE_FEA_CAPTURE__WIDTH", "640")
    done = run("--config", file, "--database", tmp_path / "other.db", "config")
    lines = done.stdout.splitlines()
    assert done.exit_code == 0
    assert "capture.height = 960  # default" in lines
    assert f"capture.frame_rate = 2.0  # {file}" in lines
    assert "capture.width = 640  # environment" in lines
    assert f'store.database = "{tmp_path}/other.db"  # command line' in lines


def test_every_setting_is_shown_once_and_as_toml(run: Run) -> None:
    shown = run("config").stdout
    assert [line.partition(" = ")[0] for line in shown.splitlines()] == [
        key for key, _, _ in leaves(Settings())
    ]
    assert tomllib.loads(shown)["clip"]["length_s"] == 300.0


def test_the_file_may_be_named_in_the_environment(
    run: Run, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EDGE_FEA_CONFIG", str(file))
    assert f"capture.frame_rate = 2.0  # {file}" in run("config").stdout


def test_the_default_file_is_printed_as_it_ships(run: Run) -> None:
    assert run("config", "--default").stdout == default_file()


def test_a_good_file_is_good(run: Run, file: Path) -> None:
    done = run("config", "check", file)
    assert (done.exit_code, done.stdout, done.stderr) == (0, f"{file}: good\n", "")


def test_checking_a_file_makes_nothing(run: Run, file: Path) -> None:
    run("config", "check", file)
    assert list(file.parent.iterdir()) == [file]


def test_a_typo_is_named_with_what_was_meant(run: Run, file: Path) -> None:
    file.write_text(file.read_text().replace("frame_rate", "framerate"))
    done = run("config", "check", file)
    assert done.exit_code == 78
    assert done.stderr == (
        f"edge-fea: unknown key capture.framerate (from {file}), did you mean 'frame_rate'?\n"
    )


def test_a_value_out_of_bounds_is_named(run: Run, file: Path) -> None:
    file.write_text(file.read_text().replace("= 2", "= 99"))
    done = run("config", "check", file)
    assert done.exit_code == 78
    assert "capture.frame_rate" in done.stderr
    assert "30, not 99" in done.stderr


def test_a_bad_file_is_bad_whatever_the_environment_says(
    run: Run, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file.write_text(file.read_text().replace("= 2", "= 99"))
    monkeypatch.setenv("EDGE_FEA_CAPTURE__FRAME_RATE", "4")
    assert run("config", "check", file).exit_code == 78


def test_a_missing_file_is_named(run: Run, tmp_path: Path) -> None:
    done = run("config", "check", tmp_path / "none.toml")
    assert done.exit_code == 78
    assert f"no configuration file {tmp_path / 'none.toml'}" in done.stderr


def test_a_missing_database_folder_is_named(run: Run, file: Path, tmp_path: Path) -> None:
    file.write_text(GOOD.format(folder=tmp_path / "none"))
    done = run("config", "check", file)
    assert done.exit_code == 73
    assert done.stderr == f"edge-fea: store.database: there is no folder {tmp_path / 'none'}\n"


def test_the_database_of_the_command_line_goes_above(run: Run, file: Path, tmp_path: Path) -> None:
    done = run("--database", tmp_path / "none" / "x.db", "config", "check", file)
    assert done.exit_code == 73
    assert f"there is no folder {tmp_path / 'none'}" in done.stderr


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ('[vision]\nnetwork = "{missing}.tflite"\n' + GOOD, 72),
        (GOOD.replace("[store]", 'source = "video"\npath = "{missing}.mp4"\n[store]'), 66),
    ],
)
def test_what_the_file_names_must_be_there(
    run: Run, file: Path, tmp_path: Path, text: str, code: int
) -> None:
    file.write_text(text.format(folder=tmp_path, missing=tmp_path / "missing"))
    done = run("config", "check", file)
    assert done.exit_code == code
    assert str(tmp_path / "missing") in done.stderr


def test_a_database_folder_that_cannot_be_written_is_named(
    run: Run, public_folder: Path, unprivileged: Callable[[], AbstractContextManager[None]]
) -> None:
    file = public_folder / "edge-fea.toml"
    file.write_text(GOOD.format(folder=public_folder))
    public_folder.chmod(0o555)
    with unprivileged():
        done = run("config", "check", file)
    assert done.exit_code == 73
    assert f"this user cannot write in {public_folder}" in done.stderr
