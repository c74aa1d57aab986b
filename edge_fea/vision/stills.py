"""Single pictures through the device's own path, for measuring the network on one's own data."""

from dataclasses import dataclass

import cv2

from edge_fea.config import VisionSettings
from edge_fea.vision.boxes import Box, Grey
from edge_fea.vision.classifier import Classifier, Reading
from edge_fea.vision.faces import HaarDetector
from edge_fea.vision.geometry import face_crop
from edge_fea.vision.observation import Outcome
from edge_fea.vision.patient import Zone, choose
from edge_fea.vision.quality import judge, judge_empty_frame, measure

_WHOLE = Zone(0.0, 0.0, 1.0, 1.0)


@dataclass(frozen=True, slots=True)
class StillReading:
    """What the device makes of one picture."""

    outcome: Outcome
    """What the device would have recorded."""

    box: Box | None
    reading: Reading | None
    """Of every face that was found, whatever the outcome; the device keeps the valid ones only."""

    margin: float = 0.0
    """What the crop shows around the box, as a share of the box's side on each side."""


def still_detector(settings: VisionSettings) -> HaarDetector:
    """What finds the faces of single pictures: as the device's search of a whole frame."""
    return HaarDetector(max(24, round(settings.quality.minimum_face * 0.75)))


class StillClassifier:
    """Finds the one face of a picture and classifies it, as the device does in a frame."""

    def __init__(self, settings: VisionSettings, classifier: Classifier) -> None:
        cv2.setNumThreads(settings.threads)
        self._settings = settings
        self._classifier = classifier
        self._detector = still_detector(settings)

    def read(self, picture: Grey, *, detect: bool = True) -> StillReading:
        """Classify ``picture``, uint8 (height, width).

        Without ``detect`` the whole picture is taken for the crop: it must be framed as Haar's
        boxes are, and no outcome but valid is given.
        """
        height, width = picture.shape
        if not detect:
            box = Box(0, 0, width, height)
            return StillReading(Outcome.VALID, box, self._classify(picture, box, margin=0.0))
        candidates = self._detector.search(picture)
        margin = self._classifier.manifest.input.margin
        readings = {box: self._classify(picture, box, margin) for box in candidates}
        faces = [box for box in candidates if self._classifier.is_face(readings[box])]
        found, outcome = choose(faces, None, _WHOLE, width, height)
        if found is None and len(candidates) == 1:
            return StillReading(Outcome.NOT_A_FACE, candidates[0], readings[candidates[0]], margin)
        if found is None:
            if not candidates:
                outcome = judge_empty_frame(picture, self._settings.quality)
            elif not faces:
                outcome = Outcome.NOT_A_FACE
            return StillReading(outcome, None, None)
        quality = measure(self._crop(picture, found, margin), found.width)
        outcome = judge(quality, self._settings.quality)
        return StillReading(outcome, found, readings[found], margin)

    def _crop(self, picture: Grey, box: Box, margin: float) -> Grey:
        return face_crop(picture, box, self._classifier.manifest.input.size, margin)

    def _classify(self, picture: Grey, box: Box, margin: float) -> Reading:
        return self._classifier.read(self._crop(picture, box, margin))
