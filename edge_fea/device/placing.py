"""Helps to place the camera: advice for the moment, and a proposal for the patient's zone."""

import logging
from collections import Counter, deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from edge_fea.capture.frame import Frame
from edge_fea.vision.boxes import Box, Grey
from edge_fea.vision.geometry import cut
from edge_fea.vision.observation import Observation, Outcome

SETTLED_AFTER_S = 30.0
"""Seconds of steadily good advice after which the device has been placed."""

# How far back advice looks, and the share of that in which a face must have been read.
LOOK_BACK_S = 5.0
_GOOD_SHARE = 0.6
# A box of half the frame's height: the head fills the frame, and a move takes it out of it.
_TOO_NEAR = 0.5
# A face that is too dark in a frame as bright as this has its light from behind.
_BRIGHT_FRAME = 80.0
# A face that can be read, but hardly, in a frame at least twice as bright. No more than that: a
# dark skin before a white wall is no fault of the light.
_HARDLY_LIT, _BRIGHTER_AROUND = 45.0, 2.0
# A window or lamp that takes up so much of the frame can hide a face.
_BURNT_OUT, _GLARE = 250, 0.15

# The zone reaches so many widths of the face beyond where its centre was: room to turn and sink
# into the pillow, not room for a visitor's chair.
_ROOM = 1.0
# So much of the watch must have shown the patient, and no more than so much been ambiguous.
_LEAST_SEEN, _MOST_AMBIGUOUS = 0.5, 0.1

log = logging.getLogger("edge_fea")


class Advice(StrEnum):
    """Whether the patient's face can be used, or what to change."""

    GOOD = "good: the face is read"
    WAIT = "looking"
    NOBODY = "no face in sight: point the camera at the patient's face"
    OUTSIDE = "a face, but outside the patient's zone: turn the camera, or learn the zone anew"
    STILL = "nothing moves in the face: wait until the patient moves"
    BLURRED = "blurred: wipe the lens, and stand the device firmly"
    TOO_FAR = "too far: move the device nearer"
    TOO_NEAR = "too near: move the device away"
    TOO_DARK = "too dark: more light on the face"
    TOO_BRIGHT = "too bright: less light on the face"
    BACKLIT = "light from behind: turn the camera away from the window or lamp behind the patient"
    GLARE = "no face, and a strong light in sight: turn the camera away from the window or lamp"
    TURNED_AWAY = "turned away: place the device in front of the patient's face"
    SEVERAL = "several people: let the patient be the only one in sight"


_ADVICE_OF_OUTCOME = {
    Outcome.NO_FACE: Advice.NOBODY,
    Outcome.NOT_A_FACE: Advice.NOBODY,
    Outcome.NOT_LIVE: Advice.STILL,
    Outcome.FACE_TOO_SMALL: Advice.TOO_FAR,
    Outcome.OFF_ZONE: Advice.OUTSIDE,
    Outcome.AMBIGUOUS: Advice.SEVERAL,
    Outcome.TOO_DARK: Advice.TOO_DARK,
    Outcome.TOO_BRIGHT: Advice.TOO_BRIGHT,
    Outcome.BLURRED: Advice.BLURRED,
    Outcome.TURNED_AWAY: Advice.TURNED_AWAY,
}


@dataclass(frozen=True, slots=True)
class Look:
    """What advice needs of one frame: figures, no picture."""

    monotonic: float
    outcome: Outcome
    frame_luma: float
    """Mean of the frame, 0 to 255."""

    burnt_out: float
    """Share of the frame at 250 or more."""

    face_height: float = 0.0
    """Height of the patient's box as a share of the frame's; 0 where there is none."""

    face_luma: float = 0.0
    """Mean of the patient's box, 0 to 255; 0 where there is none."""


def look_at(picture: Grey, monotonic: float, observation: Observation) -> Look:
    """The figures of one frame, uint8 (height, width): every eighth pixel both ways is read."""
    sample = picture[::8, ::8]
    height, luma = 0.0, 0.0
    if observation.box is not None:
        height = observation.box.height / picture.shape[0]
        face = cut(picture, observation.box)
        luma = float(face[::4, ::4].mean()) if face.size else 0.0
    return Look(
        monotonic,
        observation.outcome,
        float(sample.mean()),
        float((sample >= _BURNT_OUT).mean()),
        height,
        luma,
    )


def advise(looks: Sequence[Look]) -> Advice:
    """Advice from the ``looks`` of the last five seconds before the latest; older ones are left.

    A face that was read most of the time is good, unless it is too near or has its light from
    behind; otherwise the commonest reason counts, of equally common ones the latest.
    """
    watched = [look for look in looks if look.outcome in _ADVICE_OF_OUTCOME or _is_read(look)]
    if not watched:
        return Advice.WAIT
    recent = [
        look for look in watched if watched[-1].monotonic - look.monotonic <= LOOK_BACK_S + 1e-9
    ]
    read = [look for look in recent if _is_read(look)]
    if len(read) >= _GOOD_SHARE * len(recent):
        return _of_a_read_face(read)
    reasons = Counter(_reason(look) for look in reversed(recent) if not _is_read(look))
    return reasons.most_common(1)[0][0]


def _is_read(look: Look) -> bool:
    return look.outcome is Outcome.VALID


def _of_a_read_face(read: Sequence[Look]) -> Advice:
    if float(np.median([look.face_height for look in read])) > _TOO_NEAR:
        return Advice.TOO_NEAR
    luma = float(np.median([look.face_luma for look in read]))
    around = float(np.median([look.frame_luma for look in read]))
    if luma < _HARDLY_LIT and around > _BRIGHTER_AROUND * luma and around > _BRIGHT_FRAME:
        return Advice.BACKLIT
    return Advice.GOOD


def _reason(look: Look) -> Advice:
    if look.outcome is Outcome.TOO_DARK and look.frame_luma >= _BRIGHT_FRAME:
        return Advice.BACKLIT
    if look.outcome is Outcome.NO_FACE and look.burnt_out >= _GLARE:
        return Advice.GLARE
    return _ADVICE_OF_OUTCOME[look.outcome]


class Placing:
    """The first minutes after power-on, in which somebody places the device.

    Advice is given until ``until``, a moment of the monotonic clock. Until then a face that is
    read may be that of whoever stands before the camera, so it is withheld from the record; but
    only until the advice has been good for SETTLED_AFTER_S without a break: then the device is
    taken to be placed, for good.
    """

    def __init__(self, until: float, frame_rate: float) -> None:
        self._until = until
        self._looks: deque[Look] = deque(maxlen=int(LOOK_BACK_S * frame_rate) + 2)
        self._advice: Advice | None = None
        self._good_since: float | None = None
        self._settled = False

    def recorded(self, observation: Observation, now: float) -> Observation:
        """What is written down of ``observation``: a face that is withheld counts as paused."""
        if self._settled or now >= self._until or observation.outcome is not Outcome.VALID:
            return observation
        return Observation(observation.sequence, Outcome.PAUSED)

    def advice(self, frame: Frame, observation: Observation, now: float) -> Advice | None:
        """Advice after one more frame; None once the time for that is over."""
        if now >= self._until:
            if self._advice is not None:
                self._advice = None
                log.info("placing is over; unplug the device and plug it in to place it anew")
            return None
        look = look_at(frame.pixels, frame.monotonic, observation)
        # Of what was good before a pause nobody knows whether it still is.
        if self._looks and look.monotonic - self._looks[-1].monotonic > LOOK_BACK_S:
            self._good_since = None
        self._looks.append(look)
        advice = advise(self._looks)
        if advice is not self._advice:
            self._advice = advice
            log.info("placing: %s", advice)
        self._settle(advice, look.monotonic)
        return advice

    def _settle(self, advice: Advice, monotonic: float) -> None:
        if advice is not Advice.GOOD:
            self._good_since = None
        elif self._good_since is None:
            self._good_since = monotonic
        elif not self._settled and monotonic - self._good_since >= SETTLED_AFTER_S:
            self._settled = True
            log.info("placed: from now on the face that is read is recorded as the patient's")


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
