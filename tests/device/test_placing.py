"""Advice for the moment, and the zone that a watch proposes."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from edge_fea.cli import cli
from edge_fea.device.placing import Advice, Look, advise, look_at, propose_zone
from edge_fea.vision.geometry import Box
from edge_fea.vision.observation import Observation, Outcome

UNIFORM = np.full(7, 1 / 7)


def seen(boxes: list[Box], others: dict[Outcome, int] | None = None) -> list[Observation]:
    observations = [Observation(0, Outcome.VALID, UNIFORM, box=box) for box in boxes]
    for outcome, count in (others or {}).items():
        observations += [Observation(0, outcome)] * count
    return observations


def test_the_zone_is_where_the_face_stays_with_room_around() -> None:
    proposal = propose_zone(seen([Box(300, 200, 100, 100)] * 40), 1000, 1000)
    assert proposal.zone == (0.25, 0.15, 0.45, 0.35)
    assert proposal.seen == 1.0


def test_a_glance_aside_does_not_widen_it() -> None:
    boxes = [Box(300, 200, 100, 100)] * 97 + [Box(800, 800, 100, 100)] * 3
    assert propose_zone(seen(boxes), 1000, 1000).zone == (0.25, 0.15, 0.45, 0.35)


def test_the_zone_stays_in_the_frame() -> None:
    zone = propose_zone(seen([Box(0, 900, 100, 100)] * 40), 1000, 1000).zone
    assert zone == (0.0, 0.85, 0.15, 1.0)


@pytest.mark.parametrize(
    ("others", "advice"),
    [
        ({Outcome.NO_FACE: 50}, "not seen for long enough"),
        ({Outcome.AMBIGUOUS: 10}, "several faces"),
    ],
)
def test_no_zone_rather_than_a_guess(others: dict[Outcome, int], advice: str) -> None:
    proposal = propose_zone(seen([Box(300, 200, 100, 100)] * 40, others), 1000, 1000)
    assert proposal.zone is None
    assert advice in proposal.advice


def test_nothing_watched_is_no_zone() -> None:
    assert propose_zone([], 640, 480).zone is None


def test_the_command_proposes_a_line_for_the_settings(portrait_video: Path) -> None:
    result = CliRunner().invoke(
        cli,
        ["place", "--learn", "--seconds", "6"],
        env={"EDGE_FEA_CAPTURE__SOURCE": "video", "EDGE_FEA_CAPTURE__PATH": str(portrait_video)},
    )
    assert result.exit_code == 0, result.output
    zone = result.output.rpartition("zone = ")[2]
    left, top, right, bottom = (float(side) for side in zone.strip().strip("[]").split(","))
    assert left < 0.5 < right
    assert top < 0.45 < bottom
    assert right - left < 0.7


def looks(outcome: Outcome, number: int = 20, **figures: float) -> list[Look]:
    """So many frames, four a second."""
    usual = {"frame_luma": 120.0, "burnt_out": 0.0, "face_height": 0.25, "face_luma": 110.0}
    return [Look(n / 4, outcome, **{**usual, **figures}) for n in range(number)]


def later(seconds: float, some: list[Look]) -> list[Look]:
    return [replace(look, monotonic=look.monotonic + seconds) for look in some]


@pytest.mark.parametrize(
    ("outcome", "advice"),
    [
        (Outcome.VALID, Advice.GOOD),
        (Outcome.NO_FACE, Advice.NOBODY),
        (Outcome.NOT_A_FACE, Advice.NOBODY),
        (Outcome.NOT_LIVE, Advice.STILL),
        (Outcome.FACE_TOO_SMALL, Advice.TOO_FAR),
        (Outcome.OFF_ZONE, Advice.OUTSIDE),
        (Outcome.AMBIGUOUS, Advice.SEVERAL),
        (Outcome.TOO_BRIGHT, Advice.TOO_BRIGHT),
        (Outcome.BLURRED, Advice.BLURRED),
        (Outcome.TURNED_AWAY, Advice.TURNED_AWAY),
    ],
)
def test_each_outcome_has_its_advice(outcome: Outcome, advice: Advice) -> None:
    assert advise(looks(outcome)) is advice


@pytest.mark.parametrize(
    ("outcome", "figures", "advice"),
    [
        (Outcome.TOO_DARK, {"frame_luma": 20.0}, Advice.TOO_DARK),
        (Outcome.TOO_DARK, {"frame_luma": 130.0}, Advice.BACKLIT),
        (Outcome.VALID, {"face_luma": 35.0, "frame_luma": 130.0}, Advice.BACKLIT),
        (Outcome.VALID, {"face_luma": 35.0, "frame_luma": 60.0}, Advice.GOOD),
        # A dark skin before a white wall can be read well.
        (Outcome.VALID, {"face_luma": 60.0, "frame_luma": 200.0}, Advice.GOOD),
        (Outcome.NO_FACE, {"burnt_out": 0.3}, Advice.GLARE),
        (Outcome.VALID, {"burnt_out": 0.3}, Advice.GOOD),
        (Outcome.VALID, {"face_height": 0.6}, Advice.TOO_NEAR),
    ],
)
def test_light_and_distance_come_from_the_frames_figures(
    outcome: Outcome, figures: dict[str, float], advice: Advice
) -> None:
    assert advise(looks(outcome, **figures)) is advice


def test_only_the_last_five_seconds_count() -> None:
    assert advise(looks(Outcome.NO_FACE, 400) + later(100, looks(Outcome.VALID))) is Advice.GOOD


def test_a_face_that_is_missed_now_and_then_is_good() -> None:
    mixed = looks(Outcome.VALID, 20)
    mixed[3:20:3] = looks(Outcome.TURNED_AWAY, 20)[3:20:3]
    assert advise(mixed) is Advice.GOOD


def test_the_commonest_reason_counts_and_of_equals_the_latest() -> None:
    some = looks(Outcome.NO_FACE, 6) + later(1.5, looks(Outcome.FACE_TOO_SMALL, 6))
    assert advise(some) is Advice.TOO_FAR
    assert advise(some + later(3, looks(Outcome.NO_FACE, 1))) is Advice.NOBODY


@pytest.mark.parametrize("outcome", [Outcome.PAUSED, Outcome.CAPTURE_LOST])
def test_frames_that_nobody_looked_at_are_no_ground_for_advice(outcome: Outcome) -> None:
    assert advise(looks(outcome)) is Advice.WAIT
    assert advise(looks(Outcome.VALID) + later(5, looks(outcome))) is Advice.GOOD


def test_without_a_frame_there_is_no_advice() -> None:
    assert advise([]) is Advice.WAIT


@given(st.lists(st.tuples(st.sampled_from(list(Outcome)), st.floats(0, 60)), max_size=40))
def test_there_is_advice_for_whatever_is_seen(frames: list[tuple[Outcome, float]]) -> None:
    some = [replace(looks(outcome, 1)[0], monotonic=time) for outcome, time in frames]
    assert advise(sorted(some, key=lambda look: look.monotonic)) in Advice


def test_the_figures_of_a_frame() -> None:
    picture = np.full((400, 600), 200, np.uint8)
    picture[100:300, 200:400] = 40
    picture[:, 500:] = 255
    box = Box(200, 100, 200, 200)
    look = look_at(picture, 7.0, Observation(0, Outcome.VALID, UNIFORM, box=box))
    assert look.monotonic == 7.0
    assert look.face_height == 0.5
    assert look.face_luma == 40.0
    assert look.frame_luma == pytest.approx(float(picture.mean()), abs=3)
    assert look.burnt_out == pytest.approx(1 / 6, abs=0.01)


def test_a_face_at_the_edge_of_the_frame_has_figures_too() -> None:
    picture = np.full((400, 600), 90, np.uint8)
    box = Box(-50, -50, 100, 100)
    look = look_at(picture, 0.0, Observation(0, Outcome.VALID, UNIFORM, box=box))
    assert look.face_luma == 90.0
    nothing = look_at(picture, 0.0, Observation(0, Outcome.NO_FACE))
    assert (nothing.face_height, nothing.face_luma) == (0.0, 0.0)
