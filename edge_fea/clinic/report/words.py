"""All words of a report, in one catalogue a language, and numbers and dates as it writes them."""

import string
import tomllib
from collections.abc import Iterable, Mapping
from copy import copy
from datetime import date, datetime
from pathlib import Path
from typing import Any, Final

from edge_fea.errors import ConfigError, NotFoundError

CATALOGUES: Final = Path(__file__).with_name("catalogue")
FIRST_LANGUAGE: Final = "en"
"""The language that all others are held against."""

_NO_BREAK = "\N{NO-BREAK SPACE}"
Tree = Mapping[str, Any]


def languages() -> list[str]:
    """The languages that there are catalogues for."""
    return sorted(path.stem for path in CATALOGUES.glob("*.toml"))


class Words:
    """The catalogue of one language. ``words("section.key", name=value)`` fills a text in."""

    def __init__(self, language: str) -> None:
        """``language`` is a code such as ``de``, or the path of a catalogue (``.toml``).

        Raises NotFoundError for a language that there is no catalogue for, ConfigError for a
        catalogue in which texts or places to fill in are missing.
        """
        path = Path(language) if language.endswith(".toml") else CATALOGUES / f"{language}.toml"
        self._texts = flat(_read(path, language))
        self.years = False
        """Whether short dates have their year."""
        if path != CATALOGUES / f"{FIRST_LANGUAGE}.toml":
            first = _read(CATALOGUES / f"{FIRST_LANGUAGE}.toml", FIRST_LANGUAGE)
            faults = differences(flat(first), self._texts)
            if faults:
                raise ConfigError(f"catalogue {path}: {'; '.join(faults[:5])}")

    def spanning(self, days: Iterable[date]) -> "Words":
        """The same words; short dates have their year where ``days`` are of more than one."""
        found = copy(self)
        found.years = len({day.year for day in days}) > 1
        return found

    def __call__(self, key: str, **values: object) -> str:
        """The text of a key with its places filled in."""
        return str(self._texts[key]).format_map(values) if values else str(self._texts[key])

    def listed(self, key: str) -> list[str]:
        """The texts of a key that holds several."""
        return [str(text) for text in self._texts[key]]

    def pairs(self, key: str) -> list[tuple[str, str]]:
        """The texts of a key that holds pairs of a term and its meaning."""
        return [(str(term), str(meaning)) for term, meaning in self._texts[key]]

    def counted(self, key: str, count: int, **values: object) -> str:
        """The text of ``key_one`` or ``key_other`` for a count, which fills ``{count}``."""
        form = "one" if count == 1 else "other"
        return self(f"{key}_{form}", count=self.whole(count), **values)

    def joined(self, texts: list[str]) -> str:
        """Texts as a list within a sentence."""
        if len(texts) < 2:
            return "".join(texts)
        return self("format.and", first=", ".join(texts[:-1]), last=texts[-1])

    def number(self, value: float, digits: int = 1) -> str:
        """A number with its decimals."""
        text = f"{abs(value):.{digits}f}".replace(".", self("format.decimal"))
        # What rounds to zero has no sign.
        negative = value < 0 and text.strip("0,. ") != ""
        return f"\N{MINUS SIGN}{text}" if negative else text

    def whole(self, value: float) -> str:
        """A whole number; thousands set apart."""
        text = f"{round(value):,}" if abs(value) >= 10_000 else f"{round(value)}"
        return text.replace(",", self("format.thousands"))

    def percent(self, share: float, digits: int = 1) -> str:
        """A share, 0 to 1, in per cent."""
        return self.number(100.0 * share, digits) + _NO_BREAK + "%"

    def range(self, low: str, high: str) -> str:
        """From one value to another."""
        return self("format.range", low=low, high=high)

    def signed(self, value: float, digits: int = 1) -> str:
        """A difference with its sign."""
        text = self.number(value, digits)
        positive = value > 0 and text.strip("0,. ") != ""
        return f"+{text}" if positive else text

    def hours(self, hours: float) -> str:
        """A duration in hours and minutes; whole hours from 100 on."""
        if hours >= 100.0:
            return f"{self.whole(hours)}{_NO_BREAK}h"
        whole, minutes = divmod(round(60.0 * hours), 60)
        parts = [f"{whole}{_NO_BREAK}h"] if whole else []
        if minutes or not whole:
            parts.append(f"{minutes}{_NO_BREAK}min")
        return _NO_BREAK.join(parts)

    def day(self, day: date, *, year: bool = True) -> str:
        """A date in full."""
        month = self.listed("format.months")[day.month - 1]
        key = "format.day" if year else "format.day_of_year"
        return self(key, day=day.day, month=month, year=day.year)

    def short_day(self, day: date, *, year: bool | None = None) -> str:
        """Day and month, short; with the year where ``year`` or, if that is None, ``years``."""
        month = self.listed("format.months_short")[day.month - 1]
        key = "format.day" if (self.years if year is None else year) else "format.day_of_year"
        return self(key, day=day.day, month=month, year=day.year)

    def days(self, first: date, last: date) -> str:
        """From one date to another; the year once where it is the same."""
        if first == last:
            return self.day(first)
        return self.range(self.day(first, year=first.year != last.year), self.day(last))

    def short_days(self, first: date, last: date, *, year: bool | None = None) -> str:
        """From one date to another, short; a year that they share stands once."""
        if first == last:
            return self.short_day(first, year=year)
        begin = self.short_day(first, year=first.year != last.year)
        return f"{begin} \N{EN DASH} {self.short_day(last, year=year)}"

    def moment(self, moment: datetime) -> str:
        """A date and a time of day."""
        return self("format.moment", day=self.day(moment.date()), time=f"{moment:%H:%M}")


def flat(tree: Tree, prefix: str = "") -> dict[str, Any]:
    """Texts by their dotted keys."""
    found: dict[str, Any] = {}
    for key, value in tree.items():
        if isinstance(value, Mapping):
            found |= flat(value, f"{prefix}{key}.")
        else:
            found[prefix + key] = value
    return found


def differences(first: Tree, other: Tree) -> list[str]:
    """Where a catalogue lacks texts, has ones too many, or fills in other places."""
    found = [f"{key} is missing" for key in first if key not in other]
    found += [f"{key} is not known" for key in other if key not in first]
    for key in first.keys() & other.keys():
        fault = _shape_fault(first[key], other[key]) or _fill_fault(first[key], other[key])
        if fault:
            found.append(f"{key} {fault}")
    return sorted(found)


def places(text: object) -> set[str]:
    """The names of the places to fill in.

    Raises ValueError where a brace is left open, or where a place is more than a name in braces.
    """
    if isinstance(text, list):
        return {name for each in text for name in places(each)}
    found = set()
    for _, name, form, conversion in string.Formatter().parse(str(text)):
        if name is None:
            continue
        if form or conversion or not name.isidentifier():
            raise ValueError(f"{{{name}}} is not a name in braces")
        found.add(name)
    return found


def _shape_fault(first: object, other: object) -> str:
    """What keeps a text, a list of texts or of pairs from being what the first language has."""
    if not isinstance(first, list):
        return "" if isinstance(other, str) else "must be a text"
    if not isinstance(other, list):
        return "must be a list"
    if len(first) != len(other):
        return f"must have {len(first)} texts, not {len(other)}"
    for number, (wanted, given) in enumerate(zip(first, other, strict=True), 1):
        fault = _shape_fault(wanted, given)
        if fault:
            return f"(entry {number}) {fault}"
    return ""


def _fill_fault(first: object, other: object) -> str:
    try:
        given = places(other)
    except ValueError as error:
        return f"must fill in names in braces only, such as {{days}} ({error})"
    if places(first) == given:
        return ""
    return f"must fill in {', '.join(sorted(places(first))) or 'none'}"


def _read(path: Path, language: str) -> Tree:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise NotFoundError(
            f"no language {language!r}: there are {', '.join(languages())}, or give the path of "
            "a catalogue (.toml)"
        ) from None
    except OSError as error:
        raise NotFoundError(f"cannot read the catalogue {path}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"catalogue {path}: {error}") from error
