"""The vision path: one frame in, one observation out."""

import cv2

from edge_fea.config import VisionSettings
from edge_fea.vision.boxes import Box, Grey
from edge_fea.vision.classifier import Classifier
from edge_fea.vision.finder import FaceFinder
from edge_fea.vision.geometry import face_crop
from edge_fea.vision.liveness import Liveness, LivePlaces
from edge_fea.vision.motion import MotionEnergy
from edge_fea.vision.observation import Observation, Outcome
from edge_fea.vision.patient import Zone, choose
from edge_fea.vision.quality import judge, judge_empty_frame, measure

# A lost face is looked for in profile, where it was, for this long.
_PROFILE_S = 30.0


class Observer:
    """Watches one patient through the frames of one source.

    It remembers, in memory, where the patient's face was, patches of 24 x 24 pixels for the
    stillness check and one of 48 x 48 for the motion energy; nothing that is made to tell one
    person from another.
    """

    def __init__(self, settings: VisionSettings, classifier: Classifier) -> None:
        cv2.setNumThreads(settings.threads)
        self._settings = settings
        self._classifier = classifier
        self._input = classifier.manifest.input
        self._zone = Zone(*settings.zone)
        self.forget()

    def forget(self) -> None:
        """Begin anew, as for another patient: no place, no patch, nothing held remains."""
        self._finder = FaceFinder(self._settings)
        self._motion = MotionEnergy()
        self._liveness = LivePlaces(self._settings.still_change, self._settings.still_s)
        self._last_box: Box | None = None
        self._last_seen = 0.0
        self._standing = Outcome.NO_FACE  # the outcome of the last search that found no patient

    def observe(self, picture: Grey, sequence: int, monotonic: float) -> Observation:
        """What becomes of ``picture``, uint8 (height, width), taken at ``monotonic`` seconds."""
        held = self._held(monotonic)
        # After a valid frame nothing stands that could be said again without looking.
        must = self._standing is Outcome.VALID
        candidates = self._finder.find(picture, held, monotonic, must=must)
        if candidates is None:
            return self._without(sequence, self._standing)
        faces = self._possible_patients(picture, candidates, monotonic)
        height, width = picture.shape
        box, outcome = choose(faces, held, self._zone, width, height)
        if box is None:
            if outcome is Outcome.NO_FACE:
                outcome = self._explain_absence(picture, candidates, monotonic)
            self._standing = outcome
            return self._without(sequence, outcome)
        return self._read(picture, box, sequence, monotonic)

    def _read(self, picture: Grey, box: Box, sequence: int, monotonic: float) -> Observation:
        crop = self._crop(picture, box)
        outcome = judge(measure(crop, box.width), self._settings.quality)
        reading = None
        if outcome in (Outcome.VALID, Outcome.TURNED_AWAY):
            reading = self._classifier.read(crop)
            if not self._classifier.is_face(reading):
                outcome = Outcome.NOT_A_FACE
        alive = self._liveness.look(picture, box, monotonic)
        if outcome is Outcome.VALID and alive is not Liveness.ALIVE:
            outcome = Outcome.NOT_LIVE
        # Neither a curtain nor a photograph is held: the patient's own face is looked for beside
        # it. A patient who lies still is held, or a visitor would be taken for the patient.
        deceptive = outcome is Outcome.NOT_A_FACE or alive is Liveness.UNPROVEN
        self._last_box, self._last_seen = None if deceptive else box, monotonic
        self._standing = outcome
        if outcome is not Outcome.VALID or reading is None:
            return self._without(sequence, outcome)
        return Observation(
            sequence,
            outcome,
            reading.probabilities,
            faces=max(1, self._finder.count),
            motion=self._motion.since_a_second_ago(crop, monotonic),
            box=box,
        )

    def _possible_patients(
        self, picture: Grey, candidates: list[Box], monotonic: float
    ) -> list[Box]:
        """Of several candidates those that pass the face check and in which something has moved.

        A curtain or a photograph must not make a rival of the patient. Where nothing has moved in
        any of them, all stay.
        """
        if len(candidates) < 2:
            return candidates
        faces = [
            box
            for box in candidates
            if self._classifier.is_face(self._classifier.read(self._crop(picture, box)))
        ]
        looks = {box: self._liveness.look(picture, box, monotonic) for box in faces}
        return [box for box in faces if looks[box] is not Liveness.UNPROVEN] or faces

    def _crop(self, picture: Grey, box: Box) -> Grey:
        return face_crop(picture, box, self._input.size, self._input.margin)

    def _explain_absence(self, picture: Grey, candidates: list[Box], monotonic: float) -> Outcome:
        if candidates:
            return Outcome.NOT_A_FACE
        light = judge_empty_frame(picture, self._settings.quality)
        if light is not Outcome.NO_FACE:
            return light
        place = self._last_box
        if place is not None and monotonic - self._last_seen <= _PROFILE_S:
            return Outcome.TURNED_AWAY if self._finder.is_turned_away(picture, place) else light
        return light

    def _held(self, monotonic: float) -> Box | None:
        lost_for = monotonic - self._last_seen
        return self._last_box if lost_for <= self._settings.hold_s else None

    def _without(self, sequence: int, outcome: Outcome) -> Observation:
        return Observation(sequence, outcome, faces=self._finder.count)
