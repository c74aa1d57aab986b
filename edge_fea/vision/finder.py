"""Where faces are in each frame, at the least cost: search everywhere seldom, nearby often."""

from edge_fea.config import VisionSettings
from edge_fea.vision.boxes import Box, Grey
from edge_fea.vision.faces import PROFILE, HaarDetector
from edge_fea.vision.geometry import cut

# Faces somewhat smaller than can be read are looked for too, so that "too far away" can be told
# from "nobody there".
_SEARCH_BELOW = 0.75


class FaceFinder:
    """Finds the faces of a frame; while one is held, mostly around it.

    A search of the whole frame costs ten times one around a held face. It is repeated every
    ``full_search_s`` while a face is held (somebody else may have come), and every
    ``absent_search_s`` while none is; between two of the latter ``find`` answers None, which
    means: as last time.
    """

    def __init__(self, settings: VisionSettings) -> None:
        minimum = max(24, round(settings.quality.minimum_face * _SEARCH_BELOW))
        self._frontal = HaarDetector(minimum)
        self._profile = HaarDetector(minimum, PROFILE, neighbours=3)
        self._full_every = settings.full_search_s
        self._absent_every = settings.absent_search_s
        self._searched_at: float | None = None
        self.count = 0
        """Faces seen at the last search of the whole frame."""

    def find(
        self, picture: Grey, held: Box | None, monotonic: float, *, must: bool = False
    ) -> list[Box] | None:
        """Faces in ``picture``, largest first; None where the last answer still stands.

        With ``must`` there is always an answer.
        """
        if held is not None and not self._is_over(self._full_every, monotonic):
            near = self._frontal.search_around(picture, held)
            if near:
                return near
        if held is None and not must and not self._is_over(self._absent_every, monotonic):
            return None
        self._searched_at = monotonic
        found = self._frontal.search(picture)
        self.count = len(found)
        return found

    def is_turned_away(self, picture: Grey, held: Box) -> bool:
        """Whether a profile shows near where the face was, facing either way."""
        height, width = picture.shape
        window = held.grown(2.0).within(width, height)
        part = cut(picture, window)
        if min(part.shape) < self._profile.minimum:
            return False
        # The cascade knows one side only.
        return bool(self._profile.search(part) or self._profile.search(part[:, ::-1].copy()))

    def _is_over(self, interval: float, monotonic: float) -> bool:
        return self._searched_at is None or monotonic - self._searched_at >= interval
