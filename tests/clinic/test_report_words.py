"""All words are in catalogues, and every language says all of it."""

import re
import tomllib
from datetime import date
from pathlib import Path

import pytest

from edge_fea.clinic.report.words import CATALOGUES, Words, differences, flat, languages
from edge_fea.emotions import LABELS
from edge_fea.errors import ConfigError, NotFoundError
from edge_fea.vision.observation import Outcome

ENGLISH = (CATALOGUES / "en.toml").read_text()
SOURCES = [*CATALOGUES.parent.glob("*.py"), CATALOGUES.parent / "template.html.j2"]


def texts(language: str) -> dict[str, object]:
    return flat(tomllib.loads((CATALOGUES / f"{language}.toml").read_text()))


@pytest.mark.parametrize("language", languages())
def test_every_language_has_the_same_keys_and_places(language: str) -> None:
    assert differences(texts("en"), texts(language)) == []
    assert texts(language)["language"] == language


def test_german_is_there() -> None:
    assert languages() == ["de", "en"]


@pytest.mark.parametrize("language", languages())
def test_no_text_is_left_empty_or_in_english(language: str) -> None:
    same = {key for key, text in texts(language).items() if text == texts("en")[key]}
    alike = {"format.and", "measures", "reasons.value", "page.minutes", "expressions.neutral"}
    assert all(texts(language).values())
    if language != "en":
        long = {key for key in same if len(str(texts("en")[key])) > 25 and key not in alike}
        assert long <= {"format.months", "format.months_short", "expressions_chart.value"}


def test_each_text_that_the_code_asks_for_is_there() -> None:
    source = "".join(path.read_text() for path in SOURCES)
    asked = set(re.findall(r'words\(\s*"([a-z_.0-9]+)"', source)) - {"section.key"}
    asked |= set(re.findall(r'words\.(?:listed|pairs)\("([a-z_.0-9]+)"', source))
    assert len(asked) > 80
    assert asked <= set(texts("en"))


def test_every_label_and_every_outcome_has_a_name() -> None:
    assert {f"expressions.{label}" for label in LABELS} <= set(texts("en"))
    seen = {Outcome.VALID}
    assert {f"outcomes.{outcome}" for outcome in set(Outcome) - seen} <= set(texts("en"))


FORBIDDEN = re.compile(
    r"diagnos|hypomimi|symptom|sever(?:e|ity)|patholog|abnormal|disorder|parkinson|alzheimer"
    r"|stroke|schlaganfall|krankhaft|auffällig(?:er|keit)|befund",
    re.IGNORECASE,
)
ALLOWED = re.compile(r"Not a diagnostic device|Kein Diagnosegerät")


@pytest.mark.parametrize("language", languages())
def test_no_text_names_a_disease_or_claims_to_find_one(language: str) -> None:
    for key, text in texts(language).items():
        assert FORBIDDEN.search(ALLOWED.sub("", str(text))) is None, key


def test_a_hospitals_own_catalogue_is_taken(tmp_path: Path) -> None:
    own = tmp_path / "fr.toml"
    own.write_text(ENGLISH.replace('language = "en"', 'language = "fr"'))
    assert Words(str(own))("language") == "fr"


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ('heading = "In short"', "", "short.heading is missing"),
        ('heading = "In short"', 'headline = "In short"', "short.headline is not known"),
        (
            "{hours} a day on average",
            "many hours",
            "short.seen_text must fill in days, hours, parts, valid",
        ),
        ('"January", ', "", "format.months must have 12 texts, not 11"),
        ('heading = "In short"', "heading = In short", "Invalid value"),
        ('heading = "In short"', "heading = 5", "short.heading must be a text"),
        (
            'heading = "In short"',
            'heading = "In {short"',
            "short.heading must fill in names in braces only, such as {days} "
            "(expected '}' before end of string)",
        ),
        ("({count})", "({})", "page.period_value must fill in names in braces only"),
        ("({count})", "({count:d})", "page.period_value must fill in names in braces only"),
        (
            '["Facial movement", "How much',
            '["Facial movement. How much',
            "methods.terms (entry 6) must have 2 texts, not 1",
        ),
    ],
)
def test_a_faulty_catalogue_is_refused_and_the_fault_named(
    tmp_path: Path, old: str, new: str, complaint: str
) -> None:
    own = tmp_path / "fr.toml"
    own.write_text(ENGLISH.replace(old, new))
    with pytest.raises(ConfigError, match=re.escape(complaint)):
        Words(str(own))


@pytest.mark.parametrize("language", ["fr", "../en", "none.toml", "/tmp"])
def test_an_unknown_language_names_those_that_there_are(language: str) -> None:
    with pytest.raises(NotFoundError, match="there are de, en"):
        Words(language)


def test_numbers_and_dates_are_written_as_the_language_does() -> None:
    english, german = Words("en"), Words("de")
    assert english.percent(0.1234) == "12.3\N{NO-BREAK SPACE}%"
    assert german.percent(0.1234) == "12,3\N{NO-BREAK SPACE}%"
    assert english.whole(24656) == "24,656"
    assert german.whole(24656) == "24.656"
    assert english.day(date(2026, 3, 9)) == "9 March 2026"
    assert german.day(date(2026, 3, 9)) == "9. März 2026"
    assert german.days(date(2026, 11, 1), date(2026, 11, 30)) == (
        "1. November bis 30. November 2026"
    )


def test_short_dates_have_their_year_where_days_are_of_two() -> None:
    new_year = [date(2025, 12, 30), date(2026, 1, 2)]
    of_one, of_two = (Words("en").spanning(days) for days in (new_year[1:], new_year))
    assert of_one.short_day(new_year[1]) == "2 Jan"
    assert of_two.short_day(new_year[1]) == "2 Jan 2026"
    assert Words("de").spanning(new_year).short_day(new_year[1]) == "2. Jan. 2026"
    assert of_two.short_days(*new_year) == "30 Dec 2025 – 2 Jan 2026"


def test_a_year_that_both_ends_of_a_span_share_stands_once() -> None:
    words, days = Words("en"), (date(2026, 9, 1), date(2026, 9, 14))
    assert words.short_days(*days) == "1 Sep – 14 Sep"
    assert words.spanning([date(2025, 1, 1), *days]).short_days(*days) == "1 Sep – 14 Sep 2026"


def test_what_rounds_to_zero_has_no_sign() -> None:
    words = Words("en")
    assert [words.signed(value) for value in (0.04, -0.04, 0.06, -0.06)] == [
        *("0.0", "0.0"),
        *("+0.1", "\N{MINUS SIGN}0.1"),
    ]


def test_durations_are_hours_and_minutes() -> None:
    words = Words("en")
    plain = [words.hours(h).replace("\N{NO-BREAK SPACE}", " ") for h in (0.0, 0.5, 2.0, 7.43, 523)]
    assert plain == ["0 min", "30 min", "2 h", "7 h 26 min", "523 h"]
