"""What the camera shows the service, for its tests."""

import numpy as np

from edge_fea.capture.frame import Frame
from edge_fea.device.service import Service
from edge_fea.vision.boxes import Box
from edge_fea.vision.observation import Observation, Outcome
from tests.conftest import FakeClock

GREY = np.full((480, 640), 120, np.uint8)
UNIFORM = np.full(7, 1 / 7)
READ = Observation(0, Outcome.VALID, UNIFORM, box=Box(260, 170, 120, 120))
NOBODY = Observation(0, Outcome.NO_FACE)


def feed(
    service: Service, clock: FakeClock, observation: Observation, seconds: float, picture=GREY
) -> None:
    """So many seconds of frames with this outcome."""
    for _ in range(int(4 * seconds)):
        clock.time += 0.25
        service.observed(Frame(0, clock.time, clock.now(), picture), observation)
        service.progress(clock.time)
