"""Helps to place the camera: watches for a while and proposes the patient's zone."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from edge_fea.vision.boxes import Box
from edge_fea.vision.observation import Observation, Outcome

# The zone reaches so many widths of the face beyond where its centre was: room to turn and sink
# into the pillow, not room for a visitor's chair.
_ROOM = 1.0
# So much of the watch must have shown the patient, and no more than so much been ambiguous.
_LEAST_SEEN, _MOST_AMBIGUOUS = 0.5, 0.1


@dataclass(frozen=True, slots=True)
class Proposal:
    """What a watch says of the patient's zone."""

    zone: tuple[float, float, float, float] | None
    """Left, top, right, bottom as shares of the frame; None where it cannot be said."""

    seen: float
    """Share of the frames in which the patient's face was read."""

    outcomes: Counter[Outcome]
    advice: str
    """One plain sentence."""


def propose_zone(observations: Iterable[Observation], width: int, height: int) -> Proposal:
    """The zone in which the face that was read stayed, in frames of ``width`` x ``height``."""
    boxes: list[Box] = []
    outcomes: Counter[Outcome] = Counter()
    for observation in observations:
        outcomes[observation.outcome] += 1
        if observation.box is not None:
            boxes.append(observation.box)
    due = outcomes.total()
    seen = outcomes[Outcome.VALID] / due if due else 0.0
    if due and outcomes[Outcome.AMBIGUOUS] / due > _MOST_AMBIGUOUS:
        return Proposal(None, seen, outcomes, "several faces: let the patient be alone in sight")
    if seen < _LEAST_SEEN:
        return Proposal(None, seen, outcomes, "the patient's face was not seen for long enough")
    centres = np.array([box.centre for box in boxes])
    # A single glance aside does not widen the zone.
    low, high = np.percentile(centres, [5, 95], axis=0)
    room = _ROOM * float(np.median([box.width for box in boxes]))
    size = np.array([width, height])
    left, top = np.clip((low - room) / size, 0.0, 1.0)
    right, bottom = np.clip((high + room) / size, 0.0, 1.0)
    zone = tuple(round(float(side), 2) for side in (left, top, right, bottom))
    return Proposal((zone[0], zone[1], zone[2], zone[3]), seen, outcomes, "good")
