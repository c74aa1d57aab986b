"""A frame, and what every source of frames promises."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from types import TracebackType
from typing import Protocol, Self

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True, slots=True)
class Frame:
    """One grey picture that was due, in memory only."""

    sequence: int
    """Which frame due this is, from 0; a jump by more than 1 means that frames were missed."""

    monotonic: float
    """Seconds on the source's own clock: the machine's for cameras, the file's for files."""

    wall: datetime
    """When it was taken: aware, UTC."""

    pixels: npt.NDArray[np.uint8]
    """uint8, shape (height, width), 0 black to 255 white."""


class Source(Protocol):
    """Yields the frames that are due, at a stated rate, and gives everything back on exit.

    ``frames`` raises SourceUnavailable, SourceUnreadable or SourceStalled; it never blocks longer
    than its time-out. It ends when a file ends; a camera never ends.
    """

    rate: float
    """Frames due in a second."""

    def frames(self) -> Iterator[Frame]:
        """The frames due, in order, with ``sequence`` rising."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...


class FrameSchedule:
    """Says which of the frames that a source could give is due.

    Frame ``n`` is due at ``n / rate`` seconds after the first one. A camera that runs at just the
    wanted rate gives frames that come now early, now late; so a frame that comes up to
    ``EARLIEST`` periods early still serves the next frame due, and a frame due counts as missed
    only when one comes that is later than the next but ``EARLY`` periods.
    """

    EARLY = 0.1
    EARLIEST = 0.3

    def __init__(self, rate: float) -> None:
        self.rate = rate
        self._start: float | None = None
        self._next = 0

    def sequence_at(self, monotonic: float) -> int | None:
        """The number of the frame due that a frame taken at ``monotonic`` serves, or None."""
        if self._start is None:
            self._start = monotonic
        place = (monotonic - self._start) * self.rate
        if place < self._next - self.EARLIEST:
            return None
        index = max(self._next, int(place + self.EARLY))
        self._next = index + 1
        return index
