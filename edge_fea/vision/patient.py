"""Whose face: the patient's among all that were found, or none rather than a guess."""

from dataclasses import dataclass

from edge_fea.vision.boxes import Box
from edge_fea.vision.observation import Outcome

# A face less than half as large as the nearest one stands behind it: a picture on the wall, a
# television, somebody at the door.
_BACKGROUND = 0.5
# While it is held, a face moves by less than this share of its size (a head that turns moves its
# box by half; two heads are never nearer than one) ...
_NEAR = 0.75
# ... and comes nearer or goes away by less than this ratio.
_SIZE_RATIO = 1.5


@dataclass(frozen=True, slots=True)
class Zone:
    """Where in the frame the patient's face can be, as shares of its width and height."""

    left: float
    top: float
    right: float
    bottom: float

    def holds(self, box: Box, width: int, height: int) -> bool:
        """Whether the box's centre lies in the zone, in a frame of ``width`` x ``height``."""
        x, y = box.centre
        return self.left <= x / width <= self.right and self.top <= y / height <= self.bottom


def choose(
    candidates: list[Box], held: Box | None, zone: Zone, width: int, height: int
) -> tuple[Box | None, Outcome]:
    """The patient's box with VALID, or None with the reason.

    ``held`` is where the patient's face was a moment ago (None when it has been lost for longer
    than the settings' hold). While it is held, only a face that continues it is the patient's; a
    face that shows up elsewhere in that time is somebody else's, or cannot be told apart. When
    nothing is held, one face in the zone is the patient's, and several are ambiguous unless all
    others are far behind it.
    """
    if not candidates:
        return None, Outcome.NO_FACE
    inside = [box for box in candidates if zone.holds(box, width, height)]
    if not inside:
        return None, Outcome.OFF_ZONE
    if held is not None:
        following = [box for box in inside if _continues(held, box)]
        return (following[0], Outcome.VALID) if len(following) == 1 else (None, Outcome.AMBIGUOUS)
    largest = max(inside, key=lambda box: box.width)
    rivals = [box for box in inside if box.width >= _BACKGROUND * largest.width]
    return (largest, Outcome.VALID) if len(rivals) == 1 else (None, Outcome.AMBIGUOUS)


def _continues(held: Box, box: Box) -> bool:
    (x0, y0), (x1, y1) = held.centre, box.centre
    reach = _NEAR * max(held.width, box.width)
    ratio = max(held.width, box.width) / max(1, min(held.width, box.width))
    return abs(x1 - x0) <= reach and abs(y1 - y0) <= reach and ratio <= _SIZE_RATIO
