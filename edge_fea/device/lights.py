"""What the light says: every sign, how it looks, what it means and what to do. The one place.

Two rules hold for all signs, and a test checks them. While pictures may be looked at, the light is
on, with gaps of at most half a second; it is dark for longer only when nothing is looked at. And it
never flashes more than three times in a second, so that it disturbs nobody who is prone to fits.

So a person tells two cases apart at a glance. The light is on and has gaps: the device watches; the
number of gaps says what could be better. The light is dark and flashes: the device does not watch;
the number of flashes says why.
"""

from dataclasses import dataclass
from typing import Final

from edge_fea.device.placing import Advice
from edge_fea.errors import (
    CameraSoftwareMissing,
    EdgeFeaError,
    SourceError,
    SourceStalled,
    StoreError,
    VisionError,
)

Step = tuple[bool, float]
"""On or off, and for how many seconds."""

LONGEST_GAP_S: Final = 0.5
"""The longest that the light is dark while pictures may be looked at."""

MOST_FLASHES: Final = 3
"""The most flashes in any second (WCAG 2.2, success criterion 2.3.1)."""


@dataclass(frozen=True, slots=True)
class Sign:
    """One thing that the light can say."""

    name: str
    steps: tuple[Step, ...]
    """Repeated for as long as the sign is shown."""

    looks: str
    """How it looks, for people."""

    means: str
    remedy: str
    watching: bool = False
    """Whether pictures may be looked at while it is shown."""

    @property
    def period(self) -> float:
        """Seconds from one beginning to the next."""
        return sum(seconds for _, seconds in self.steps)


def _gaps(number: int) -> tuple[Step, ...]:
    """On, with so many gaps, to be counted."""
    return ((True, 3.0), *((False, 0.4), (True, 0.4)) * (number - 1), (False, 0.4))


def _flashes(number: int) -> tuple[Step, ...]:
    """Dark, with so many flashes, to be counted."""
    return ((False, 2.5), *((True, 0.4), (False, 0.4)) * (number - 1), (True, 0.4))


def _hint(name: str, number: int, means: str, remedy: str) -> Sign:
    looks = "on, one gap" if number == 1 else f"on, {number} gaps"
    return Sign(name, _gaps(number), looks, means, remedy, watching=True)


def _attention(name: str, number: int, means: str, remedy: str) -> Sign:
    return Sign(name, _flashes(number), f"dark, {number} flashes", means, remedy)


_OPERATOR = "tell the person who looks after the device"

STARTING = Sign(
    "starting",
    ((True, 0.5), (False, 0.5)),
    "slow even blinking",
    "it is starting",
    "wait up to two minutes",
)
SEEN = Sign(
    "seen",
    ((True, 1.0),),
    "steadily on",
    "it watches, and reads the face",
    "nothing: all is well",
    watching=True,
)
UNSEEN = _hint(
    "unseen",
    1,
    "it watches, but reads no face",
    "if the patient is in sight: point the camera at the face",
)
TOO_FAR = _hint("too-far", 2, "the face is too far away", "move the device nearer")
TOO_NEAR = _hint("too-near", 3, "the face is too near", "move the device away")
LIGHT = _hint(
    "light",
    4,
    "the light is wrong: too dark, too bright, or from behind the patient",
    "light the face from the front; turn the camera away from windows and lamps",
)
TURNED_AWAY = _hint(
    "turned-away", 5, "the face is seen from the side", "place the device in front of the patient"
)
SEVERAL = _hint(
    "several", 6, "there are several people", "let the patient be the only one in sight"
)
UNWRITTEN = _hint("unwritten", 7, "it watches, but cannot save", _OPERATOR)
USB_FAILED = _hint(
    "usb-failed",
    8,
    "the USB stick could not be written",
    "take the stick out and try another one",
)
USB_BUSY = Sign(
    "usb-busy",
    ((True, 0.2), (False, 0.2)),
    "quick blinking",
    "it writes on the USB stick",
    "leave the stick in",
    watching=True,
)
USB_DONE = Sign(
    "usb-done",
    ((True, 1.5), (False, 0.2), (True, 0.2), (False, 0.2)),
    "on, with quick double gaps",
    "the USB stick is ready",
    "take the stick out",
    watching=True,
)
PAUSED = Sign(
    "paused",
    ((False, 2.8), (True, 0.2)),
    "dark, one short flash",
    "it is paused: nothing is looked at",
    "press the button to end the pause, or wait",
)
CAMERA_MISSING = _attention(
    "camera-missing",
    2,
    "there is no camera",
    "unplug the device, check the camera's cable, plug it in",
)
CAMERA_STALLED = _attention(
    "camera-stalled",
    3,
    "the camera gives no pictures; it tries again by itself",
    f"wait ten minutes; then unplug it and plug it in; else {_OPERATOR}",
)
STORAGE = _attention("storage", 4, "it cannot save", _OPERATOR)
SETTINGS = _attention("settings", 5, "a setting is wrong", _OPERATOR)
SOFTWARE = _attention("software", 6, "a part of the software is missing", _OPERATOR)
FAULT = _attention(
    "fault",
    7,
    "the program ended unexpectedly; it tries again by itself",
    f"wait ten minutes; if it goes on, {_OPERATOR}",
)

SIGNS: Final[tuple[Sign, ...]] = (
    SEEN,
    UNSEEN,
    TOO_FAR,
    TOO_NEAR,
    LIGHT,
    TURNED_AWAY,
    SEVERAL,
    UNWRITTEN,
    USB_FAILED,
    USB_BUSY,
    USB_DONE,
    STARTING,
    PAUSED,
    CAMERA_MISSING,
    CAMERA_STALLED,
    STORAGE,
    SETTINGS,
    SOFTWARE,
    FAULT,
)
"""All signs, in the order in which the documents list them."""

BY_NAME: Final = {sign.name: sign for sign in SIGNS}

REQUESTABLE: Final = (USB_BUSY, USB_DONE, USB_FAILED)
"""The signs that another program may ask for."""

SIGN_OF_ADVICE: Final[dict[Advice, Sign]] = {
    Advice.GOOD: SEEN,
    Advice.WAIT: UNSEEN,
    Advice.NOBODY: UNSEEN,
    Advice.OUTSIDE: UNSEEN,
    Advice.STILL: UNSEEN,
    Advice.BLURRED: UNSEEN,
    Advice.TOO_FAR: TOO_FAR,
    Advice.TOO_NEAR: TOO_NEAR,
    Advice.TOO_DARK: LIGHT,
    Advice.TOO_BRIGHT: LIGHT,
    Advice.BACKLIT: LIGHT,
    Advice.GLARE: LIGHT,
    Advice.TURNED_AWAY: TURNED_AWAY,
    Advice.SEVERAL: SEVERAL,
}
"""What the light shows for each advice; where words can be had, they say more."""

# The first class that fits counts. What is not an error of ours is a fault of the program; of
# ours, what is left is about settings, files that they name, and what they allow.
_SIGN_OF_ERROR: Final[tuple[tuple[type[BaseException], Sign], ...]] = (
    (SourceStalled, CAMERA_STALLED),
    (CameraSoftwareMissing, SOFTWARE),
    (SourceError, CAMERA_MISSING),
    (StoreError, STORAGE),
    (VisionError, SOFTWARE),
    (EdgeFeaError, SETTINGS),
)


def sign_of_error(error: BaseException) -> Sign:
    """What the light shows after the program has ended with ``error``."""
    return next((sign for kind, sign in _SIGN_OF_ERROR if isinstance(error, kind)), FAULT)
