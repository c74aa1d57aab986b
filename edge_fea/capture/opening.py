"""The source that the settings name."""

from edge_fea.capture.clock import Clock
from edge_fea.capture.frame import Source
from edge_fea.capture.picamera import PiCamera
from edge_fea.capture.pictures import PictureFolder
from edge_fea.capture.video import VideoFile
from edge_fea.capture.webcam import Webcam
from edge_fea.config import CaptureSettings


def open_source(settings: CaptureSettings, clock: Clock) -> Source:
    """The source for ``edge-fea run``, not yet entered; a video runs in real time."""
    size = (settings.width, settings.height)
    if settings.source == "picamera2":
        upside_down = settings.rotation == 180
        return PiCamera(
            settings.camera,
            settings.frame_rate,
            clock,
            size=size,
            timeout=settings.timeout_s,
            # Half a turn is a flip both ways; a mirrored picture is flipped sideways once more.
            flip_horizontal=upside_down != settings.mirror,
            flip_vertical=upside_down,
            exposure=settings.exposure,
        )
    if settings.source == "webcam":
        return Webcam(
            settings.device, settings.frame_rate, clock, size=size, timeout=settings.timeout_s
        )
    path = settings.path
    if path is None:
        raise ValueError(f"capture.path is needed with source {settings.source}")
    if settings.source == "video":
        # A rehearsal: the file plays as a camera would, now.
        return VideoFile(path, settings.frame_rate, clock, recorded_at=clock.now(), real_time=True)
    return PictureFolder(path, settings.frame_rate, recorded_at=clock.now())
