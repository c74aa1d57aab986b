"""The source that the settings name, its pictures upright."""

from edge_fea.capture.clock import Clock
from edge_fea.capture.frame import Source
from edge_fea.capture.picamera import PiCamera
from edge_fea.capture.pictures import PictureFolder
from edge_fea.capture.turning import Turned
from edge_fea.capture.video import VideoFile
from edge_fea.capture.webcam import Webcam
from edge_fea.config import CaptureSettings


def open_source(settings: CaptureSettings, clock: Clock) -> Source:
    """The source for ``edge-fea run``, not yet entered; a video runs in real time.

    A Pi camera flips pictures itself, at no cost; it cannot lay them on their side, and the other
    sources can do neither.
    """
    rotation, mirror = settings.rotation, settings.mirror
    if settings.source == "picamera2" and rotation in (0, 180):
        return _pi_camera(settings, clock, half_turn=rotation == 180, mirror=mirror)
    source = _as_it_comes(settings, clock)
    return Turned(source, rotation, mirror) if rotation != 0 or mirror else source


def _as_it_comes(settings: CaptureSettings, clock: Clock) -> Source:
    if settings.source == "picamera2":
        return _pi_camera(settings, clock)
    if settings.source == "webcam":
        return Webcam(
            settings.device,
            settings.frame_rate,
            clock,
            size=(settings.width, settings.height),
            timeout=settings.timeout_s,
        )
    path = settings.path
    if path is None:
        raise ValueError(f"capture.path is needed with source {settings.source}")
    if settings.source == "video":
        # A rehearsal: the file plays as a camera would, now.
        return VideoFile(path, settings.frame_rate, clock, recorded_at=clock.now(), real_time=True)
    return PictureFolder(path, settings.frame_rate, recorded_at=clock.now())


def _pi_camera(
    settings: CaptureSettings, clock: Clock, *, half_turn: bool = False, mirror: bool = False
) -> PiCamera:
    return PiCamera(
        settings.camera,
        settings.frame_rate,
        clock,
        size=(settings.width, settings.height),
        timeout=settings.timeout_s,
        # Half a turn is a flip both ways; a mirrored picture is flipped sideways once more.
        flip_horizontal=half_turn != mirror,
        flip_vertical=half_turn,
        exposure=settings.exposure,
    )
