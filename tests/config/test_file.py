"""The configuration file that ships, and how values are written in TOML."""

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_fea.config import DeviceSettings, Settings
from edge_fea.config.layers import default_file, leaves, load, toml_value
from edge_fea.errors import ConfigError

SHIPPED = Path(__file__).parents[2] / "deploy" / "edge-fea.toml"

SCALARS = st.one_of(
    st.booleans(),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(allow_nan=False),
    st.text(),
)
VALUES = SCALARS | st.lists(SCALARS, max_size=4).map(tuple)


def as_read(value: Any) -> Any:
    """What TOML makes of a value: it has lists and no tuples."""
    return [as_read(item) for item in value] if isinstance(value, tuple) else value


def switched_on(text: str) -> str:
    return re.sub(r"(?m)^#(\w+ = )", r"\1", text)


@given(VALUES)
def test_a_value_written_as_toml_reads_back_the_same(value: Any) -> None:
    read = tomllib.loads(f"key = {toml_value(value)}\n")["key"]
    assert read == as_read(value)
    assert type(read) is type(as_read(value))


@given(st.text(st.characters(exclude_characters="\x00")))
def test_a_path_written_as_toml_reads_back_the_same(text: str) -> None:
    path = Path(text)
    assert Path(tomllib.loads(f"key = {toml_value(path)}\n")["key"]) == path


def test_a_value_that_is_not_set_is_an_empty_string() -> None:
    assert toml_value(None) == '""'


def test_the_file_that_ships_is_the_one_that_is_generated() -> None:
    assert SHIPPED.read_text(encoding="utf-8") == default_file()


def test_the_file_that_ships_changes_nothing() -> None:
    loaded = load(SHIPPED)
    assert loaded.settings == Settings()
    assert loaded.origin == {}


def test_with_every_line_switched_on_it_still_says_the_defaults(tmp_path: Path) -> None:
    (tmp_path / "all.toml").write_text(switched_on(default_file()))
    loaded = load(tmp_path / "all.toml")
    assert loaded.settings == Settings()
    assert set(loaded.origin) == {key for key, _, _ in leaves(Settings())}


@pytest.mark.parametrize("key", [key for key, _, _ in leaves(Settings())])
def test_each_line_can_be_switched_on_alone(tmp_path: Path, key: str) -> None:
    section, _, name = key.rpartition(".")
    head, mark, rest = default_file().partition(f"\n[{section}]\n")
    one = re.sub(rf"(?m)^#({name} = )", r"\1", rest, count=1)
    (tmp_path / "one.toml").write_text(head + mark + one)
    loaded = load(tmp_path / "one.toml")
    assert loaded.settings == Settings()
    assert set(loaded.origin) == {key}


@pytest.mark.parametrize(
    ("key", "description"), [(key, text) for key, _, text in leaves(Settings())]
)
def test_each_setting_is_described_in_the_file(key: str, description: str) -> None:
    assert description
    assert f"# {description}\n#{key.rpartition('.')[2]} = " in default_file()


def test_every_key_and_section_is_there_once() -> None:
    parsed = tomllib.loads(switched_on(default_file()))
    assert list(parsed) == list(Settings.model_fields)
    assert list(parsed["vision"]) == list(type(Settings().vision).model_fields)


@pytest.mark.parametrize("section", Settings.model_fields)
def test_settings_cannot_be_changed_once_they_are_loaded(section: str) -> None:
    part = getattr(load().settings, section)
    name = next(iter(type(part).model_fields))
    with pytest.raises(ValueError, match="frozen"):
        setattr(part, name, getattr(part, name))


def test_a_set_device_id_is_the_devices_name() -> None:
    assert DeviceSettings(id="ward-3").identity() == "ward-3"


def test_a_devices_own_name_hides_the_machines_id(monkeypatch: pytest.MonkeyPatch) -> None:
    machine = "0123456789abcdef0123456789abcdef"
    monkeypatch.setattr(Path, "read_text", lambda _: machine + "\n")
    name = DeviceSettings().identity()
    assert re.fullmatch(r"efea-[0-9a-f]{10}", name)
    assert name.removeprefix("efea-") not in machine
    assert DeviceSettings(id=name).identity() == name
    monkeypatch.setattr(Path, "read_text", lambda _: machine[::-1])
    assert DeviceSettings().identity() != name


@pytest.mark.parametrize("content", [FileNotFoundError, ""])
def test_a_machine_without_an_id_is_unnamed(
    monkeypatch: pytest.MonkeyPatch, content: type[OSError] | str
) -> None:
    def read(_: Path) -> str:
        if isinstance(content, str):
            return content
        raise content

    monkeypatch.setattr(Path, "read_text", read)
    assert DeviceSettings().identity() == "unnamed"


def test_a_pseudonym_is_never_guessed_from_the_machine() -> None:
    assert Settings().device.patient == "unassigned"


def test_a_known_time_zone_is_taken() -> None:
    loaded = load(overrides={"device.time_zone": "America/Bogota"})
    assert loaded.settings.device.time_zone == "America/Bogota"


def test_a_line_switched_on_twice_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text("[capture]\nwidth = 640\nwidth = 800\n")
    with pytest.raises(ConfigError, match="not valid TOML"):
        load(tmp_path / "a.toml")
