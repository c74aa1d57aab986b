"""A face in which nothing moves is a photograph."""

import numpy as np
import pytest

from edge_fea.capture.demo import DemoSource, Scene
from edge_fea.vision.geometry import Box
from edge_fea.vision.liveness import Stillness

BOX = Box(262, 154, 114, 114)
PHOTOGRAPH = Scene("not_live", 1, sway=0.0)


def still_after(pictures, box=BOX, step=0.25) -> float:
    stillness = Stillness(0.03)
    still = 0.0
    for number, picture in enumerate(pictures):
        still = stillness.seconds_still(picture, box, number * step)
    return still


def test_a_photograph_with_sensor_noise_is_still(stage: DemoSource) -> None:
    assert still_after(stage.draw(PHOTOGRAPH, 0.0, n) for n in range(81)) == 20.0


def test_a_swaying_face_is_not_still(stage: DemoSource) -> None:
    face = Scene("valid", 1)
    assert still_after(stage.draw(face, n / 4, n) for n in range(41)) < 2.0


def test_a_blink_is_movement(stage: DemoSource) -> None:
    pictures = [stage.draw(PHOTOGRAPH, 0.0, n) for n in range(41)]
    for lid in (slice(283, 303), slice(322, 342)):  # both eyes, at second 8
        pictures[32][192:202, lid] = 190
    assert still_after(pictures) <= 2.0


def test_a_trembling_box_is_no_movement(stage: DemoSource) -> None:
    stillness = Stillness(0.03)
    still = 0.0
    for number in range(81):
        box = Box(BOX.x + number % 3, BOX.y - number % 2, BOX.width + number % 4, BOX.height)
        picture = stage.draw(PHOTOGRAPH, 0.0, number)
        still = stillness.seconds_still(picture, box, number / 4)
    assert still == 20.0


def test_a_slow_change_of_light_is_no_movement(stage: DemoSource) -> None:
    shade = np.linspace(0.0, 1.0, 640)
    pictures = (
        (stage.draw(PHOTOGRAPH, 0.0, n) * (1 - 0.1 * n / 160 * shade)).astype(np.uint8)
        for n in range(161)
    )
    assert still_after(pictures) == 40.0


def test_another_place_starts_anew(stage: DemoSource) -> None:
    stillness = Stillness(0.03)
    picture = stage.draw(PHOTOGRAPH, 0.0, 0)
    for time in range(10):
        stillness.seconds_still(picture, BOX, time)
    assert stillness.seconds_still(picture, BOX.shifted(200, 0), 10) == 0.0
    assert stillness.seconds_still(picture, BOX.shifted(200, 0), 12) == pytest.approx(2.0)
