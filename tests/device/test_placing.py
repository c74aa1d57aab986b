"""The zone that a watch proposes."""

from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from edge_fea.cli import cli
from edge_fea.device.placing import propose_zone
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
