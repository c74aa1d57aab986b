"""The layers of the settings: which wins, and where each value is said to come from."""

from pathlib import Path

import pytest

from edge_fea.config import layers
from edge_fea.config.layers import load
from edge_fea.errors import ConfigError


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "edge-fea.toml"
    path.write_text('[capture]\nframe_rate = 2\nwidth = 640\n[device]\npatient = "P01"\n')
    return path


def test_without_any_layer_the_defaults_hold() -> None:
    loaded = load()
    assert loaded.settings.capture.frame_rate == 4.0
    assert loaded.origin == {}


def test_the_file_goes_above_the_defaults(file: Path) -> None:
    loaded = load(file)
    assert loaded.settings.capture.frame_rate == 2.0
    assert loaded.settings.capture.height == 960
    assert loaded.origin["capture.frame_rate"] == str(file)
    assert "capture.height" not in loaded.origin


def test_the_environment_goes_above_the_file(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDGE_FEA_CAPTURE__FRAME_RATE", "5")
    loaded = load(file)
    assert loaded.settings.capture.frame_rate == 5.0
    assert loaded.origin["capture.frame_rate"] == "environment"


def test_the_command_line_goes_above_the_environment(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EDGE_FEA_CAPTURE__FRAME_RATE", "5")
    loaded = load(file, {"capture.frame_rate": 6})
    assert loaded.settings.capture.frame_rate == 6.0
    assert loaded.origin["capture.frame_rate"] == "command line"


def test_a_layer_changes_only_the_keys_that_it_names(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EDGE_FEA_CAPTURE__WIDTH", "800")
    loaded = load(file, {"device.id": "ward-3"})
    capture, device = loaded.settings.capture, loaded.settings.device
    assert (capture.frame_rate, capture.width) == (2.0, 800)
    assert (device.patient, device.id) == ("P01", "ward-3")
    assert loaded.origin == {
        "capture.frame_rate": str(file),
        "capture.width": "environment",
        "device.patient": str(file),
        "device.id": "command line",
    }


def test_the_default_file_is_read_where_it_exists(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(layers, "DEFAULT_FILE", file)
    assert load().settings.device.patient == "P01"


def test_a_named_file_is_read_instead_of_the_default_one(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(layers, "DEFAULT_FILE", file)
    (tmp_path / "other.toml").touch()
    assert load(tmp_path / "other.toml").settings.device.patient == "unassigned"


def test_a_key_two_sections_deep_can_be_set_in_every_layer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.toml").write_text("[vision.quality]\nminimum_face = 80\n")
    loaded = load(tmp_path / "a.toml")
    assert loaded.settings.vision.quality.minimum_face == 80
    monkeypatch.setenv("EDGE_FEA_VISION__QUALITY__MINIMUM_FACE", "90")
    assert load(tmp_path / "a.toml").settings.vision.quality.minimum_face == 90
    loaded = load(tmp_path / "a.toml", {"vision.quality.minimum_face": 100})
    assert loaded.settings.vision.quality.minimum_face == 100
    assert loaded.origin["vision.quality.minimum_face"] == "command line"


def test_a_list_in_the_environment_is_written_with_brackets(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("EDGE_FEA_VISION__ZONE", "[0.2, 0, 1, 1]")
    assert load().settings.vision.zone == (0.2, 0.0, 1.0, 1.0)


@pytest.mark.parametrize("text", ["0.2 0 1 1", "[0.2, 0", ""])
def test_a_list_written_otherwise_is_refused_with_how_to_write_it(
    monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    monkeypatch.setenv("EDGE_FEA_VISION__ZONE", text)
    with pytest.raises(ConfigError, match=r"(?i)zone") as caught:
        load()
    assert "environment" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_list_in_the_file_is_a_toml_array(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text("[vision]\nzone = [0.2, 0, 1, 1]\n")
    assert load(tmp_path / "a.toml").settings.vision.zone == (0.2, 0.0, 1.0, 1.0)


@pytest.mark.parametrize("key", ["capture.path", "vision.network"])
def test_an_empty_path_is_none_in_file_and_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, key: str
) -> None:
    section, name = key.split(".")
    (tmp_path / "a.toml").write_text(f'[{section}]\n{name} = "/x"\n')
    assert getattr(getattr(load(tmp_path / "a.toml").settings, section), name) == Path("/x")
    (tmp_path / "b.toml").write_text(f'[{section}]\n{name} = ""\n')
    assert getattr(getattr(load(tmp_path / "b.toml").settings, section), name) is None
    monkeypatch.setenv(f"EDGE_FEA_{section}__{name}".upper(), "")
    assert getattr(getattr(load(tmp_path / "a.toml").settings, section), name) is None


@pytest.mark.parametrize("name", ["EDGE_FEA_DATA", "EDGE_FEA_CONFIG"])
def test_variables_of_other_parts_are_no_settings(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv(name, "/somewhere")
    assert load().origin == {}


def test_variables_of_other_programs_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDGE_FEAST", "x")
    monkeypatch.setenv("CAPTURE", "x")
    assert load().origin == {}


def test_a_file_that_was_named_must_exist(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"no configuration file .*none\.toml"):
        load(tmp_path / "none.toml")


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot read the configuration file"):
        load(tmp_path)


@pytest.mark.parametrize("text", ["[capture\n", "a = \n", "a = 1\na = 2\n", "width: 640\n"])
def test_what_is_not_toml_is_refused_with_the_place(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.toml").write_text(text)
    with pytest.raises(ConfigError, match=r"a\.toml is not valid TOML: .*\(at ") as caught:
        load(tmp_path / "a.toml")
    assert "\n" not in str(caught.value)


def test_a_file_in_another_encoding_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_bytes('# Gerät\n[device]\nid = "é"\n'.encode("latin-1"))
    with pytest.raises(ConfigError, match="cannot read the configuration file"):
        load(tmp_path / "a.toml")
