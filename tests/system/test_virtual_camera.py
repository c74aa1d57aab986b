"""The real picamera2 on libcamera's virtual camera: pictures, buffers, a service, a stall.

One container is used by all tests, in the order of this file.
"""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from edge_fea.capture.demo import DemoSource, Scene
from tests.system.camera_box import STALL, CameraBox, draw_pictures

pytestmark = [pytest.mark.camera, pytest.mark.timeout(1200)]

CLIP_S, RATE = 10, 4
SETTINGS = f"""
development = true
length_s = {CLIP_S}
"""
SCENES = (Scene("valid", 12), Scene("no_face", 4, places=()))


@pytest.fixture(scope="module")
def box(tmp_path_factory: pytest.TempPathFactory, stage: DemoSource) -> Iterator[CameraBox]:
    folder = tmp_path_factory.mktemp("camera")
    pictures, disk = folder / "pictures", folder / "disk"
    pictures.mkdir()
    disk.mkdir()
    # The service's user reads them too.
    for path in (folder, *folder.parents):
        if path.stat().st_uid == 0 and "pytest" in path.name:
            path.chmod(0o755)
    draw_pictures(pictures, stage, SCENES)
    box = CameraBox(disk, pictures, SETTINGS)
    try:
        box.boot()
        yield box
    finally:
        box.close()


def clips(box: CameraBox) -> list[dict[str, Any]]:
    """The clips that have ended."""
    return json.loads(box.edge_fea("clips", "--format", "json"))


def outcomes(clip: dict[str, Any]) -> dict[str, int]:
    """How many frames had each outcome; ``captured`` is no outcome but those that came."""
    return {
        name.removeprefix("frames_"): count
        for name, count in clip.items()
        if name.startswith("frames_") and name not in ("frames_due", "frames_captured")
    }


def wait_until_watching(box: CameraBox) -> int:
    """The process that watches, once it has said that it is ready."""
    box.until(lambda: box.show("ActiveState") == "active", box.journal())
    return int(box.show("MainPID"))


def test_the_service_is_ready_with_the_cameras_first_picture(box: CameraBox) -> None:
    wait_until_watching(box)
    assert "watching picamera2" in box.journal()
    assert box.show("NRestarts") == "0"


def test_pictures_are_what_the_camera_shows_and_turned_as_the_settings_say(box: CameraBox) -> None:
    results = json.loads(box.probe("pictures"))
    assert len(results) == 5
    for result in results:
        upright = result["rotation"] == 0
        assert result["shape"] == ([480, 640] if upright else [640, 480]), result
        assert result["contiguous"], result
        assert result["alike"] > 0.99, result


def test_buffers_go_back_and_no_file_is_left_open(box: CameraBox) -> None:
    # Many times as many frames as there are buffers: one that is not given back stalls the camera.
    result = json.loads(box.probe("buffers", "40"))
    halfway, at_the_end = result["files"]
    assert halfway == at_the_end
    # The camera gives this whatever is asked for; luma comes first in it too.
    assert result["format"] == "NV12"


def test_what_the_camera_cannot_do_is_refused_in_words(box: CameraBox) -> None:
    long_exposure, no_camera = json.loads(box.probe("refusals"))
    assert 'capture.exposure = "normal"' in long_exposure
    assert "no Pi camera number 7" in no_camera


def test_every_frame_due_has_an_outcome(box: CameraBox) -> None:
    box.until(lambda: len(clips(box)) >= 3, box.journal())
    for clip in clips(box):
        assert (clip["ended_by"], clip["duration_s"]) == ("full", CLIP_S)
        assert clip["frames_due"] == CLIP_S * RATE
        assert sum(outcomes(clip).values()) == clip["frames_due"], outcomes(clip)
    total = {name: sum(outcomes(clip)[name] for clip in clips(box)) for name in outcomes(clip)}
    assert total["valid"] > total["no_face"] > 0


def test_a_stall_is_recognised_and_a_restart_recovers(box: CameraBox) -> None:
    process = wait_until_watching(box)
    before = len(clips(box))
    box.run("touch", STALL)
    box.until(lambda: box.show("ExecMainStatus") == "75", box.journal())
    assert "edge-fea: Pi camera 0: no frame for 2 s" in box.journal()
    box.until(lambda: len(clips(box)) > before, box.journal())
    lost = clips(box)[-1]
    assert lost["ended_by"] == "camera_lost"
    assert sum(outcomes(lost).values()) == lost["frames_due"], outcomes(lost)
    # As long as it lasts, every start ends so.
    box.until(lambda: int(box.show("NRestarts")) >= 2, box.journal())
    box.run("rm", STALL)
    ended = [clip["clip_id"] for clip in clips(box)]
    box.until(
        lambda: [clip for clip in clips(box) if clip["clip_id"] not in ended], box.journal(), 120
    )
    recovered = clips(box)[-1]
    assert recovered["ended_by"] == "full"
    assert outcomes(recovered)["valid"] > 0
    assert wait_until_watching(box) != process


def test_it_can_be_stopped_while_the_camera_hangs(box: CameraBox) -> None:
    wait_until_watching(box)
    before = len(clips(box))
    # Stopped before the time-out; libcamera's own stop then waits for a picture that never comes.
    box.run("sh", "-c", f"touch {STALL}; sleep 0.5; systemctl stop edge-fea")
    assert (box.show("ActiveState"), box.show("Result")) == ("inactive", "success")
    assert (box.show("ExecMainCode"), box.show("ExecMainStatus")) == ("2", "14"), "not by SIGALRM"
    ended = clips(box)
    assert (len(ended), ended[-1]["ended_by"]) == (before + 1, "stop")
