"""The list of signs: what every light may and may not do."""

import importlib.util
import re
from itertools import combinations
from pathlib import Path

import pytest

from edge_fea import errors
from edge_fea.device.lights import (
    BY_NAME,
    FAULT,
    LONGEST_GAP_S,
    MOST_FLASHES,
    REQUESTABLE,
    SIGN_OF_ADVICE,
    SIGNS,
    Sign,
    sign_of_error,
)
from edge_fea.device.placing import Advice
from edge_fea.errors import EdgeFeaError
from tests.device.conftest import merged

DOCS = Path(__file__).parents[2] / "docs"
ERRORS = [
    kind
    for kind in vars(errors).values()
    if isinstance(kind, type) and issubclass(kind, EdgeFeaError)
]
by_name = pytest.mark.parametrize("sign", SIGNS, ids=lambda sign: sign.name)


def rounds(sign: Sign, number: int = 4) -> list[tuple[bool, float]]:
    return merged(sign.steps * number)


@by_name
def test_while_pictures_may_be_looked_at_the_light_is_on(sign: Sign) -> None:
    dark = [seconds for on, seconds in rounds(sign) if not on]
    lit = [seconds for on, seconds in rounds(sign) if on]
    if sign.watching:
        assert max(dark, default=0) <= LONGEST_GAP_S
        assert sum(lit) >= sum(dark)


@by_name
def test_when_nothing_is_looked_at_the_light_is_mostly_dark(sign: Sign) -> None:
    if not sign.watching and sign.name != "starting":
        assert max(seconds for on, seconds in rounds(sign) if not on) >= 2.5


@by_name
def test_no_light_flashes_more_than_three_times_in_a_second(sign: Sign) -> None:
    starts, time = [], 0.0
    for on, seconds in rounds(sign):
        starts += [time] if on else []
        time += seconds
    for start in starts:
        assert len([each for each in starts if start <= each < start + 1]) <= MOST_FLASHES


@by_name
def test_counted_signs_have_as_many_blinks_as_they_say(sign: Sign) -> None:
    if said := re.search(r"(\d+) (gaps|flashes)", sign.looks):
        wanted = said[2] == "flashes"
        assert [on for on, _ in sign.steps].count(wanted) == int(said[1])
        assert int(said[1]) >= 2


def test_no_two_signs_look_alike() -> None:
    assert len({sign.looks for sign in SIGNS}) == len(SIGNS)
    for one, other in combinations(SIGNS, 2):
        assert one.steps != other.steps


def test_signs_are_known_by_name() -> None:
    assert len(BY_NAME) == len(SIGNS)


@pytest.mark.parametrize("kind", ERRORS, ids=lambda kind: kind.__name__)
def test_every_error_has_a_sign_of_not_watching(kind: type[EdgeFeaError]) -> None:
    sign = sign_of_error(kind.__new__(kind))
    assert sign in SIGNS
    assert not sign.watching
    assert sign is not FAULT


def test_missing_software_for_the_camera_is_no_missing_camera() -> None:
    # For which the cable would be looked at, and the device rebooted.
    assert sign_of_error(errors.CameraSoftwareMissing()) is BY_NAME["software"]
    assert sign_of_error(errors.SourceUnavailable()) is BY_NAME["camera-missing"]


def test_what_is_no_error_of_ours_is_a_fault() -> None:
    assert sign_of_error(ZeroDivisionError()) is FAULT


def test_every_advice_has_a_sign_of_watching() -> None:
    assert set(SIGN_OF_ADVICE) == set(Advice)
    assert all(sign.watching for sign in SIGN_OF_ADVICE.values())


def test_only_signs_of_watching_can_be_asked_for() -> None:
    """Another program must not make the device look as if it did not watch."""
    assert all(sign.watching for sign in REQUESTABLE)


def test_the_page_on_the_light_lists_the_signs_and_nothing_else() -> None:
    listed = re.findall(
        r"^\| ([^|]+) \| ([^|]+) \| ([^|]+) \|$", (DOCS / "led.md").read_text(), re.M
    )
    rows = [row for row in listed if row[0] not in ("the light", "---")]
    assert set(rows) == {(sign.looks, sign.means, sign.remedy) for sign in SIGNS}
    assert len(rows) == len(SIGNS)


def test_the_drawing_of_the_light_shows_the_signs() -> None:
    spec = importlib.util.spec_from_file_location("light", DOCS / "figures" / "light.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert (DOCS / "figures" / "light.svg").read_text() == module.draw()


def test_the_caregivers_page_tells_the_signs_of_placing() -> None:
    page = (DOCS / "caregiver.md").read_text()
    shown = {sign.looks for sign in SIGN_OF_ADVICE.values()} - {"steadily on"}
    rows = set(re.findall(r"^\| (on, [^|]+) \|", page, re.MULTILINE))
    assert rows == shown
