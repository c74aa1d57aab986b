"""The vision path with a stubbed network: every scene of the stage has its outcome."""

from collections import Counter
from collections.abc import Iterable

import numpy as np
import pytest

from edge_fea.capture.demo import SCENES, ZONE, DemoSource, Scene
from edge_fea.config import VisionSettings
from edge_fea.vision.observation import Observation, Outcome
from edge_fea.vision.observer import Observer
from tests.conftest import StubClassifier

RATE = 4.0
SETTINGS = VisionSettings(zone=ZONE)


def watch(
    stage: DemoSource, scenes: Iterable[Scene], classifier: StubClassifier, settings=SETTINGS
) -> list[list[Observation]]:
    """The observations of each scene, one scene after the other."""
    observer = Observer(settings, classifier)
    sequence, told = 0, []
    for scene in scenes:
        observations = []
        for _ in range(int(scene.seconds * RATE)):
            time = sequence / RATE
            picture = stage.draw(scene, time, sequence)
            observations.append(observer.observe(picture, sequence, time))
            sequence += 1
        told.append(observations)
    return told


def most(observations: list[Observation]) -> Outcome:
    return Counter(each.outcome for each in observations).most_common(1)[0][0]


SEEN = [scene for scene in SCENES if scene.outcome not in ("capture_lost", "paused", "not_live")]


@pytest.mark.parametrize(
    "scene", {scene.outcome: scene for scene in SEEN}.values(), ids=lambda scene: scene.outcome
)
def test_a_scene_has_its_outcome(stage: DemoSource, scene: Scene) -> None:
    shortened = Scene(**{**{f: getattr(scene, f) for f in scene.__slots__}, "seconds": 5})
    stub = StubClassifier(face=scene.outcome != "not_a_face")
    (observations,) = watch(stage, [shortened], stub)
    assert most(observations) == scene.outcome


def test_each_frame_has_exactly_one_observation_in_order(stage: DemoSource) -> None:
    (observations,) = watch(stage, [Scene("valid", 5)], StubClassifier())
    assert [each.sequence for each in observations] == list(range(20))


def test_a_photograph_is_never_the_patient(stage: DemoSource) -> None:
    (observations,) = watch(stage, [Scene("not_live", 15, sway=0.0)], StubClassifier())
    assert {each.outcome for each in observations} == {Outcome.NOT_LIVE}


def test_a_photograph_whose_light_changes_is_none_either(stage: DemoSource) -> None:
    scenes = [Scene("not_live", 2, sway=0.0, light=light) for light in (1.0, 0.7, 1.1, 0.85)]
    for observations in watch(stage, scenes, StubClassifier()):
        assert {each.outcome for each in observations} == {Outcome.NOT_LIVE}


def test_a_patient_who_lies_still_for_long_is_not_live(stage: DemoSource) -> None:
    settings = VisionSettings(zone=ZONE, still_s=10)
    awake, asleep = Scene("valid", 4), Scene("not_live", 14, sway=0.0)
    _, observations = watch(stage, [awake, asleep], StubClassifier(), settings)
    assert most(observations[:36]) is Outcome.VALID
    assert {each.outcome for each in observations[-12:]} == {Outcome.NOT_LIVE}


def test_a_visitor_beside_a_patient_who_lies_still_is_not_the_patient(stage: DemoSource) -> None:
    settings = VisionSettings(zone=ZONE, still_s=10)
    bed, chair = (0.38, 0.45), (0.8, 0.45)

    class Ward(DemoSource):
        """The patient lies still in bed; a visitor sways in the chair."""

        def draw(self, scene: Scene, time: float, sequence: int) -> np.ndarray:
            picture = super().draw(scene, time, sequence)
            if chair in scene.places:
                asleep = Scene("x", 1, places=(bed,), sway=0.0)
                picture[:, :400] = super().draw(asleep, 0.0, sequence)[:, :400]
            return picture

    scenes = [
        Scene("valid", 5, places=(bed,)),
        Scene("not_live", 14, places=(bed,), sway=0.0),
        Scene("visited", 12, places=(chair,)),
    ]
    _, _, visited = watch(Ward(RATE, stage.recorded_at), scenes, StubClassifier(), settings)
    assert Outcome.VALID not in {each.outcome for each in visited[4:]}


def test_a_head_that_turns_away_is_not_simply_gone(stage: DemoSource) -> None:
    turned = Scene("turned_away", 4, yaw=48.0)
    _, observations = watch(stage, [Scene("valid", 4), turned], StubClassifier())
    assert most(observations[-8:]) is Outcome.TURNED_AWAY


def test_a_visitor_does_not_interrupt_the_held_patient(stage: DemoSource) -> None:
    patient = Scene("valid", 8, places=((0.65, 0.45),))
    visited = Scene("valid", 12, places=((0.65, 0.45), (0.28, 0.45)))
    _, observations = watch(stage, [patient, visited], StubClassifier())
    assert {each.outcome for each in observations} == {Outcome.VALID}
    assert observations[-1].faces == 2


def test_a_face_on_a_television_never_becomes_the_patient(stage: DemoSource) -> None:
    """It moves like a face; only the zone tells it from the patient, also while nobody is there."""
    on_screen, in_bed = (0.12, 0.45), (0.65, 0.45)
    scenes = [
        Scene("off_zone", 10, places=(on_screen,)),
        Scene("valid", 10, places=(in_bed, on_screen)),
        Scene("off_zone", 20, places=(on_screen,)),
    ]
    alone, beside, left = watch(stage, scenes, StubClassifier())
    assert {each.outcome for each in alone} == {Outcome.OFF_ZONE}
    middle = stage.draw(scenes[1], 0.0, 0).shape[1] / 2
    boxes = [each.box for each in beside if each.box is not None]
    assert boxes
    assert all(box.centre[0] > middle for box in boxes)
    assert Outcome.VALID not in {each.outcome for each in left}


def test_the_patient_is_found_again_after_an_absence(stage: DemoSource) -> None:
    scenes = [Scene("valid", 3), Scene("no_face", 6, places=()), Scene("valid", 3)]
    _, absent, back = watch(stage, scenes, StubClassifier())
    assert {each.outcome for each in absent} == {Outcome.NO_FACE}
    # The whole frame is searched once a second while nobody is there.
    assert {each.outcome for each in back[4:]} == {Outcome.VALID}


def test_a_curtain_beside_the_patient_is_no_rival(stage: DemoSource) -> None:
    class FaceOnTheRight(StubClassifier):
        def is_face(self, reading):  # the lure hangs in the middle, flat and bright
            return self.last_mean < 156

        def read(self, crop):
            self.last_mean = crop.mean()
            return super().read(crop)

    both = Scene("valid", 4, places=((0.8, 0.45),), scale=1.2, lure=True)
    (observations,) = watch(stage, [both], FaceOnTheRight())
    assert most(observations) is Outcome.VALID


def test_a_photograph_beside_the_patient_is_no_rival(stage: DemoSource) -> None:
    class Beside(DemoSource):
        """The stage with a portrait that hangs still at the right."""

        def draw(self, scene: Scene, time: float, sequence: int) -> np.ndarray:
            picture = super().draw(scene, time, sequence)
            wall = super().draw(Scene("x", 1, places=((0.8, 0.45),), sway=0.0), 0.0, sequence)
            picture[:, 400:] = wall[:, 400:]
            return picture

    settings = VisionSettings(zone=ZONE, still_s=10)
    photograph = Scene("not_live", 14, places=())
    both = Scene("valid", 8, places=((0.38, 0.45),))
    alone, together = watch(
        Beside(RATE, stage.recorded_at), [photograph, both], StubClassifier(), settings
    )
    assert {each.outcome for each in alone[-8:]} == {Outcome.NOT_LIVE}
    assert most(together[8:]) is Outcome.VALID
    assert {each.outcome for each in together[-12:]} == {Outcome.VALID}


def test_a_patient_who_moves_again_is_read_again(stage: DemoSource) -> None:
    settings = VisionSettings(zone=ZONE, still_s=10)
    asleep, awake = watch(
        stage, [Scene("not_live", 14, sway=0.0), Scene("valid", 4)], StubClassifier(), settings
    )
    assert asleep[-1].outcome is Outcome.NOT_LIVE
    assert {each.outcome for each in awake[-8:]} == {Outcome.VALID}


def test_an_observation_has_probabilities_only_when_valid() -> None:
    with pytest.raises(ValueError, match="valid"):
        Observation(0, Outcome.VALID)
    with pytest.raises(ValueError, match="no_face"):
        Observation(0, Outcome.NO_FACE, np.full(7, 1 / 7))


def test_while_nobody_is_there_the_frame_is_searched_once_a_second(
    stage: DemoSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    observer = Observer(SETTINGS, StubClassifier())
    searches = []
    detector = observer._finder._frontal
    search = detector.search
    monkeypatch.setattr(detector, "search", lambda p: searches.append(1) or search(p))
    picture = stage.draw(Scene("no_face", 1, places=()), 0.0, 0)
    for number in range(40):
        observer.observe(picture, number, number / RATE)
    assert len(searches) == 10
