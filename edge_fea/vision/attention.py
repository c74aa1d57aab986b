"""Where the network looks: its spatial attention, drawn over the face that it was given."""

import cv2
import numpy as np
import numpy.typing as npt

from edge_fea.errors import NetworkInvalid, NotFoundError
from edge_fea.vision.boxes import Grey
from edge_fea.vision.classifier import Classifier
from edge_fea.vision.geometry import face_crop
from edge_fea.vision.observation import MEANINGS, Outcome
from edge_fea.vision.stills import StillReading

PANEL = 444
"""Side of each of the two drawn panels, pixels."""
_SHARE = 0.45  # how much of the colour lies over the face

Map = npt.NDArray[np.float64]


def attention_over(picture: Grey, still: StillReading, classifier: Classifier) -> Map:
    """The spatial attention map, float64 (h, w), 0 to 1, of the face that was read in ``picture``.

    It is the network's M_s(F') (Munsif et al. 2024, equations (5) and (6)). Raises NetworkInvalid
    for a network that does not give it, NotFoundError where no face, or not one face, was read.
    """
    manifest = classifier.manifest
    if manifest.outputs.attention is None:
        raise NetworkInvalid(f"the network {manifest.name} has no attention output to draw")
    if still.box is None or still.outcome is Outcome.NOT_A_FACE:
        raise NotFoundError(f"no face to explain: {MEANINGS[still.outcome]}")
    crop = face_crop(picture, still.box, manifest.input.size, still.margin)
    found = classifier.attention(crop)
    if found is None:
        raise NetworkInvalid(f"the network {manifest.name} gave no attention map")
    return found


def draw(picture: Grey, still: StillReading, attention: Map) -> npt.NDArray[np.uint8]:
    """Two panels: the face, and the face under the map; BGR uint8 (PANEL, 2 * PANEL, 3).

    Only the face's crop is shown, not who else is in the picture. The map's places are few; between
    their centres colours go over linearly, from blue, its least, to red, its most.
    """
    if still.box is None:
        raise ValueError("there is no face to draw")
    face = cv2.cvtColor(face_crop(picture, still.box, PANEL, still.margin), cv2.COLOR_GRAY2BGR)
    least, most = float(attention.min()), float(attention.max())
    spread = most - least
    levels = (attention - least) / spread if spread > 0 else np.zeros_like(attention)
    wide = cv2.resize(levels.astype(np.float32), (PANEL, PANEL), interpolation=cv2.INTER_LINEAR)
    colours = cv2.applyColorMap(np.rint(255 * wide).astype(np.uint8), cv2.COLORMAP_TURBO)
    covered = cv2.addWeighted(face, 1 - _SHARE, colours, _SHARE, 0.0)
    return np.asarray(np.hstack([face, covered]), np.uint8)
