"""One TOML file, EDGE_FEA_* variables above it, command-line options on top: read and merged."""

import difflib
import json
import os
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails
from pydantic_settings import EnvSettingsSource, SettingsError

from edge_fea.config.section import in_words
from edge_fea.config.settings import Settings
from edge_fea.errors import ConfigError

DEFAULT_FILE = Path("/etc/edge-fea/edge-fea.toml")
_PREFIX = "EDGE_FEA_"
# Read by other parts, not settings: the training data's folder, and the configuration file.
_NOT_SETTINGS = {"EDGE_FEA_DATA", "EDGE_FEA_CONFIG"}


@dataclass(frozen=True)
class Loaded:
    """The effective settings, and for each dotted key the layer that set it."""

    settings: Settings
    origin: Mapping[str, str]


def load(
    file: Path | None = None,
    overrides: Mapping[str, Any] | None = None,
    *,
    environment: bool = True,
) -> Loaded:
    """Merge defaults, ``file``, environment and ``overrides`` (dotted keys), later ones winning.

    Without ``file`` the default one is read if it exists; without ``environment`` its variables
    are left out, as when one file alone is checked. Raises ConfigError naming the key, the
    value, what is allowed and the layer.
    """
    layers: dict[str, dict[str, Any]] = {}
    path = file or (DEFAULT_FILE if DEFAULT_FILE.exists() else None)
    if path is not None:
        layers[str(path)] = read_file(path)
    if environment:
        layers["environment"] = _environment()
    layers["command line"] = _nest(overrides or {})
    merged: dict[str, Any] = {}
    origin: dict[str, str] = {}
    for name, layer in layers.items():
        _merge(merged, layer)
        origin.update(dict.fromkeys(_keys(layer), name))
    try:
        return Loaded(Settings(**merged), origin)
    except ValidationError as error:
        raise ConfigError(_explain(error, origin)) from error


def load_value(section: type[BaseModel], name: str, value: Any) -> Any:
    """One value, checked as the setting ``name`` of a section is. Raises ConfigError."""
    try:
        return getattr(section.model_validate({name: value}), name)
    except ValidationError as error:
        raise ConfigError(_explain(error, {})) from error


def read_file(path: Path) -> dict[str, Any]:
    """The content of a TOML file. Raises ConfigError where it is missing or not TOML."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigError(f"no configuration file {path}") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"cannot read the configuration file {path}: {error}") from error
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path} is not valid TOML: {error}") from error


def _environment() -> dict[str, Any]:
    for name in os.environ:
        section = name.removeprefix(_PREFIX).partition("__")[0].lower()
        if name.startswith(_PREFIX) and name not in _NOT_SETTINGS:
            _require_known(section, Settings.model_fields, f"environment variable {name}")
    try:
        return EnvSettingsSource(Settings)()
    except SettingsError as error:
        raise ConfigError(
            f"environment: {_unreadable_variable()} cannot be read (lists are written as "
            "[0, 0, 1, 1])"
        ) from error


def _unreadable_variable() -> str:
    """pydantic-settings names the section only; the one that begins like a list is meant."""
    names = sorted(name for name in os.environ if name.startswith(_PREFIX))
    for name in names:
        try:
            json.loads(os.environ[name])
        except ValueError:
            if os.environ[name].lstrip().startswith(("[", "{")):
                return name
    return f"one of {', '.join(names)}"


def _require_known(key: str, known: Mapping[str, Any], where: str) -> None:
    if key not in known:
        raise ConfigError(f"{where}: unknown key '{key}'; known are {', '.join(known)}")


def _nest(dotted: Mapping[str, Any]) -> dict[str, Any]:
    nested: dict[str, Any] = {}
    for key, value in dotted.items():
        *sections, last = key.split(".")
        place = nested
        for section in sections:
            place = place.setdefault(section, {})
        place[last] = value
    return nested


def _merge(into: dict[str, Any], layer: Mapping[str, Any]) -> None:
    for key, value in layer.items():
        if isinstance(value, Mapping) and isinstance(into.get(key), dict):
            _merge(into[key], value)
        else:
            into[key] = dict(value) if isinstance(value, Mapping) else value


def _keys(layer: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    for key, value in layer.items():
        if isinstance(value, Mapping):
            yield from _keys(value, f"{prefix}{key}.")
        else:
            yield prefix + key


def _explain(error: ValidationError, origin: Mapping[str, str]) -> str:
    return "; ".join(_explain_one(part, origin) for part in error.errors(include_url=False))


def _explain_one(part: ErrorDetails, origin: Mapping[str, str]) -> str:
    # A tuple's error points at one of its places; people set the whole.
    names = [str(name) for name in part["loc"] if not isinstance(name, int)]
    key = ".".join(names)
    # An unknown section has no origin of its own, but the keys within it have.
    within = (layer for name, layer in origin.items() if name.startswith(key + "."))
    source = origin.get(key) or next(within, "")
    where = f" (from {source})" if source else ""
    if part["type"] == "extra_forbidden":
        known = list(_section(names[:-1]).model_fields)
        close = difflib.get_close_matches(names[-1], known, n=1)
        hint = f", did you mean '{close[0]}'?" if close else f"; known are {', '.join(known)}"
        return f"unknown key {key}{where}{hint}"
    # A validator of ours says all itself; pydantic's own messages lack the value.
    message = part["msg"].removeprefix("Value error, ")
    if part["type"] == "value_error":
        return message if message.startswith(key + ".") else f"{key}: {message}{where}"
    if part["type"] == "string_pattern_mismatch":
        message = f"must be {in_words(part['ctx']['pattern'])}"
    return f"{key}: {message}, not {part['input']!r}{where}"


def _section(names: list[str]) -> type[BaseModel]:
    model: type[BaseModel] = Settings
    for name in names:
        annotation = model.model_fields[name].annotation
        if not (isinstance(annotation, type) and issubclass(annotation, BaseModel)):
            break
        model = annotation
    return model


def leaves(settings: BaseModel, prefix: str = "") -> Iterator[tuple[str, Any, str]]:
    """Each setting as dotted key, value and description, in the order of the file."""
    for name, field in type(settings).model_fields.items():
        value = getattr(settings, name)
        if isinstance(value, BaseModel):
            yield from leaves(value, f"{prefix}{name}.")
        else:
            yield prefix + name, value, field.description or ""


def default_file() -> str:
    """The commented configuration file that ships: every key with its default, switched off."""
    lines = [
        "# edge-fea settings. Every line is the default, switched off: take away the first # of a",
        "# line to change it. Environment variables go above this file, for example",
        "# EDGE_FEA_CAPTURE__FRAME_RATE=2. `edge-fea config check FILE` checks a file.",
    ]
    section = ""
    for key, value, description in leaves(Settings()):
        head, _, name = key.rpartition(".")
        if head != section:
            section = head
            lines += ["", f"[{section}]", f"# {_section(section.split('.')).__doc__}"]
        lines.append(f"# {description}")
        lines.append(f"#{name} = {toml_value(value)}")
    return "\n".join(lines) + "\n"


def toml_value(value: Any) -> str:
    """A setting's value as TOML; a path that is not set as an empty string."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, tuple):
        return "[" + ", ".join(toml_value(item) for item in value) + "]"
    if isinstance(value, int | float):
        return repr(value)
    text = "" if value is None else str(value)
    # TOML's basic strings are JSON's, but for the one control character that JSON leaves plain.
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
