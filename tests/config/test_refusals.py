"""What the settings refuse, and that the message names key, value, layer and what is allowed."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from edge_fea.config.layers import leaves, load
from edge_fea.config.section import in_words
from edge_fea.config.settings import Settings
from edge_fea.errors import ConfigError


def refusal(overrides: dict[str, Any]) -> str:
    with pytest.raises(ConfigError) as caught:
        load(overrides=overrides)
    return str(caught.value)


def test_an_unknown_key_in_the_file_is_refused_with_the_nearest(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text("[capture]\nframerate = 2\n")
    with pytest.raises(ConfigError) as caught:
        load(tmp_path / "a.toml")
    message = str(caught.value)
    assert "unknown key capture.framerate" in message
    assert "did you mean 'frame_rate'?" in message
    assert f"(from {tmp_path / 'a.toml'})" in message


def test_an_unknown_key_in_the_environment_is_refused_with_the_nearest(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("EDGE_FEA_CAPTURE__FRAMERATE", "2")
    with pytest.raises(ConfigError) as caught:
        load()
    message = str(caught.value)
    assert "unknown key capture.framerate" in message
    assert "did you mean 'frame_rate'?" in message
    assert "(from environment)" in message


def test_a_key_like_no_other_is_refused_with_all_that_are_known() -> None:
    message = refusal({"clip.xyzzy": 1})
    assert "unknown key clip.xyzzy" in message
    assert "length_s, checkpoint_s" in message


def test_an_unknown_key_two_sections_deep_is_named_whole() -> None:
    message = refusal({"vision.quality.minimumface": 64})
    assert "unknown key vision.quality.minimumface" in message
    assert "did you mean 'minimum_face'?" in message


def test_an_unknown_section_in_the_file_is_refused_with_the_nearest(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text("[captur]\nwidth = 640\n")
    with pytest.raises(
        ConfigError, match=r"unknown key captur.*did you mean 'capture'\?"
    ) as caught:
        load(tmp_path / "a.toml")
    assert str(tmp_path / "a.toml") in str(caught.value)


def test_an_unknown_section_in_the_environment_is_refused_by_the_variables_name(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("EDGE_FEA_CAPTUR__WIDTH", "640")
    with pytest.raises(ConfigError, match=r"EDGE_FEA_CAPTUR__WIDTH.*known are capture, vision"):
        load()


def test_a_value_in_place_of_a_section_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text("capture = 3\n")
    with pytest.raises(ConfigError, match=r"capture: .*not 3"):
        load(tmp_path / "a.toml")


def test_several_wrong_keys_are_told_in_one_line() -> None:
    message = refusal({"capture.width": 1, "clip.checkpoint_s": 0})
    assert "capture.width" in message
    assert "clip.checkpoint_s" in message
    assert "\n" not in message


def bounds() -> list[tuple[str, str, float]]:
    """Each bounded number: its key, its bound as the message must name it, a value beyond it."""
    found = []
    for key, _, _ in leaves(Settings()):
        model: type[BaseModel] = Settings
        *sections, name = key.split(".")
        for section in sections:
            annotation = model.model_fields[section].annotation
            assert isinstance(annotation, type)
            model = annotation
        for bound in model.model_fields[name].metadata:
            if hasattr(bound, "ge"):
                found.append((key, f"{bound.ge:g}", bound.ge - 1))
            if hasattr(bound, "le"):
                found.append((key, f"{bound.le:g}", bound.le + 1))
    return found


def test_the_settings_have_bounds_at_all() -> None:
    assert len(bounds()) > 40


@pytest.mark.parametrize(("key", "bound", "beyond"), bounds())
def test_a_number_out_of_bounds_is_refused_with_key_value_and_bound(
    key: str, bound: str, beyond: float
) -> None:
    message = refusal({key: beyond})
    assert message.startswith(f"{key}: ")
    assert re.search(rf"than or equal to {re.escape(bound)}\b", message)
    assert message.endswith(f"not {beyond!r} (from command line)")


@pytest.mark.parametrize("value", [float("nan"), float("inf"), "four", None, [4]])
def test_what_is_no_number_is_refused_as_one(value: object) -> None:
    message = refusal({"capture.frame_rate": value})
    assert message.startswith("capture.frame_rate: ")
    assert f"not {value!r}" in message


@pytest.mark.parametrize(
    ("key", "value", "allowed"),
    [
        ("capture.source", "camera", ("picamera2", "webcam", "video", "pictures")),
        ("capture.rotation", 45, ("0", "90", "180", "270")),
        ("capture.exposure", "short", ("normal", "long")),
        ("vision.runtime", "onnx", ("auto", "ai-edge-litert", "tflite-runtime")),
    ],
)
def test_a_choice_that_is_none_is_refused_with_all_that_are(
    key: str, value: object, allowed: tuple[str, ...]
) -> None:
    message = refusal({key: value})
    assert message.startswith(f"{key}: ")
    assert repr(value) in message
    assert all(choice in message for choice in allowed)


@pytest.mark.parametrize("source", ["video", "pictures"])
def test_a_source_of_files_needs_a_path(source: str) -> None:
    message = refusal({"capture.source": source})
    assert message == f"capture.path is needed with source {source}"


@pytest.mark.parametrize("length", [5, 60, 299.9])
def test_a_short_clip_is_refused_outside_development(length: float) -> None:
    message = refusal({"clip.length_s": length})
    assert "clip.length_s must be 300 to 600 s" in message
    assert f"{length:g}" in message
    assert "clip.development" in message


@pytest.mark.parametrize("length", [5, 299.9])
def test_a_short_clip_is_allowed_in_development(length: float) -> None:
    loaded = load(overrides={"clip.length_s": length, "clip.development": True})
    assert loaded.settings.clip.length_s == length


@pytest.mark.parametrize("length", [300, 450.5, 600])
def test_a_clip_of_5_to_10_minutes_is_allowed(length: float) -> None:
    assert load(overrides={"clip.length_s": length}).settings.clip.length_s == length


@pytest.mark.parametrize("development", [False, True])
def test_a_clip_longer_than_10_minutes_is_never_allowed(development: bool) -> None:
    message = refusal({"clip.length_s": 601, "clip.development": development})
    assert "600" in message
    assert "601" in message


@pytest.mark.parametrize(
    "zone", [(0.5, 0, 0.5, 1), (0, 0.9, 1, 0.1), (-0.1, 0, 1, 1), (0, 0, 1, 1.1)]
)
def test_a_zone_that_is_no_part_of_the_frame_is_refused(zone: tuple[float, ...]) -> None:
    message = refusal({"vision.zone": zone})
    assert message.startswith("vision.zone: must be [left, top, right, bottom]")
    assert str([float(side) for side in zone]) in message


@pytest.mark.parametrize("zone", [(0, 0, 1), (0, 0, 1, 1, 1), ("a", 0, 1, 1), "whole"])
def test_a_zone_that_is_no_four_numbers_is_refused_by_its_key(zone: object) -> None:
    assert "vision.zone: " in refusal({"vision.zone": zone})


def test_an_unknown_time_zone_is_refused_with_an_example() -> None:
    message = refusal({"device.time_zone": "Berlin"})
    assert "device.time_zone" in message
    assert "'Berlin'" in message
    assert "Europe/Berlin" in message


@pytest.mark.parametrize("name", ["Anna Schmidt", "a/b", "x" * 41, "", "P01\n"])
def test_a_pseudonym_is_one_short_plain_word(name: str) -> None:
    message = refusal({"device.patient": name})
    assert message.startswith("device.patient: ")
    assert repr(name) in message


@pytest.mark.parametrize(
    ("section", "key", "value"),
    [
        ("clinic", "recipients", ["age1short"]),
        ("clinic", "language", "English"),
        ("clinic", "usb_label", "my stick"),
        ("device", "id", "ward 3"),
        ("device", "patient", "Jane Doe"),
        ("indicator", "led", "../ACT"),
    ],
)
def test_what_a_text_may_be_is_said_in_words(section: str, key: str, value: Any) -> None:
    message = refusal({section: {key: value}})
    assert f"{section}.{key}: must be " in message
    assert "[A-Z" not in message
    assert "[a-z" not in message


def test_every_pattern_of_the_settings_has_its_words() -> None:
    patterns = re.findall(r'"pattern": "(.*?)"', json.dumps(Settings.model_json_schema()))
    assert len(patterns) >= 6
    for pattern in patterns:
        assert in_words(json.loads(f'"{pattern}"'))
