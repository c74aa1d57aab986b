"""What became of one frame that was due."""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import numpy.typing as npt

from edge_fea.vision.boxes import Box

Probabilities = npt.NDArray[np.float64]
"""float64, shape (7,), in the order of ``edge_fea.emotions.LABELS``, adding up to 1."""


class Outcome(StrEnum):
    """Every frame that was due has exactly one of these."""

    VALID = "valid"
    NO_FACE = "no_face"
    NOT_A_FACE = "not_a_face"
    NOT_LIVE = "not_live"
    FACE_TOO_SMALL = "face_too_small"
    OFF_ZONE = "off_zone"
    AMBIGUOUS = "ambiguous"
    TOO_DARK = "too_dark"
    TOO_BRIGHT = "too_bright"
    BLURRED = "blurred"
    TURNED_AWAY = "turned_away"
    PAUSED = "paused"
    CAPTURE_LOST = "capture_lost"


MEANINGS: dict[Outcome, str] = {
    Outcome.VALID: "the patient's face was read",
    Outcome.NO_FACE: "no face in sight",
    Outcome.NOT_A_FACE: "something that only looks like a face",
    Outcome.NOT_LIVE: "a face in which nothing moves, such as a photograph",
    Outcome.FACE_TOO_SMALL: "the face is too far away",
    Outcome.OFF_ZONE: "a face, but outside the patient's zone",
    Outcome.AMBIGUOUS: "several faces could be the patient's",
    Outcome.TOO_DARK: "too dark",
    Outcome.TOO_BRIGHT: "too bright",
    Outcome.BLURRED: "the face is blurred",
    Outcome.TURNED_AWAY: "the face is turned away",
    Outcome.PAUSED: "watching was paused, or the device was being placed",
    Outcome.CAPTURE_LOST: "the camera gave no picture",
}
"""One plain phrase for each outcome, for people."""


@dataclass(frozen=True, slots=True)
class Observation:
    """The outcome of the frame due with number ``sequence``.

    ``probabilities`` is there when, and only when, the outcome is valid. ``faces`` counts all
    faces seen, the patient's and others', at the last search of the whole frame. ``motion`` is
    the facial motion energy since about a second ago, where there is a valid frame of then.
    ``box`` is where the patient's face is; it is for placing the camera, and is not stored.
    """

    sequence: int
    outcome: Outcome
    probabilities: Probabilities | None = None
    faces: int = 0
    motion: float | None = None
    box: Box | None = None

    def __post_init__(self) -> None:
        if (self.probabilities is not None) != (self.outcome is Outcome.VALID):
            raise ValueError(f"outcome {self.outcome} with probabilities {self.probabilities}")
