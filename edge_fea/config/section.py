"""What every section of the settings is made of."""

from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

# The file writes a path that is not set as an empty string; TOML has no null.
OptionalPath = Annotated[Path | None, BeforeValidator(lambda value: value or None)]


class Section(BaseModel):
    """A section: unknown keys are refused, and nothing changes once it is read."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


def number(low: float, high: float, text: str) -> Any:
    """A number from ``low`` to ``high``, both allowed, and what it is."""
    return Field(ge=low, le=high, description=text)


_IN_WORDS: dict[str, str] = {}


def text(pattern: str, allowed: str, description: str = "") -> Any:
    """A text that ``pattern`` matches, what that allows in words, and what the text is."""
    _IN_WORDS[pattern] = allowed
    return Field(pattern=pattern, description=description or None)


def in_words(pattern: str) -> str:
    """What a pattern that ``text`` was given allows."""
    return _IN_WORDS[pattern]
