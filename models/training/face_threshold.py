"""The threshold on P(face), and how many true faces such a threshold refuses."""

import math

import numpy as np
import numpy.typing as npt

from edge_fea.vision.manifest import FaceCheck
from models.training.data import half_of

FALSE_REJECT = 0.005
"""The share of true faces that may be refused."""

Shares = npt.NDArray[np.float64]


def level(faces: Shares) -> float:
    """The P(face) below which 0.5 % of ``faces`` (n,) lie."""
    # An int8 output has few levels, and the threshold is one of them: rounded down, so that a
    # machine that computes it with other digits does not refuse what stands just on it.
    return math.floor(1e4 * np.quantile(faces, FALSE_REJECT, method="lower")) / 1e4


def refused_by_others(faces: Shares, people: npt.NDArray[np.str_]) -> npt.NDArray[np.bool_]:
    """Which of the true faces (n,) the level of the other half of the people refuses.

    Each half is judged by what the other one chose: nobody by a choice of which they were a part.
    Nothing, (0,), where the people are too few for two halves.
    """
    first = half_of(people)
    if first.all() or not first.any():
        return np.zeros(0, bool)
    return np.asarray(faces < np.where(first, level(faces[~first]), level(faces[first])))


def face_check(faces: Shares, people: npt.NDArray[np.str_], false_boxes: Shares) -> FaceCheck:
    """The threshold that all held-out faces choose, and its rates.

    ``faces`` (n,), of ``people`` (n,), and ``false_boxes`` are P(face); what is refused of the
    faces is told by ``refused_by_others``, and the false boxes choose nothing.
    """
    threshold, refused = level(faces), refused_by_others(faces, people)
    return FaceCheck(
        threshold=threshold,
        false_accept=float((false_boxes >= threshold).mean()),
        false_reject=float(refused.mean()) if len(refused) else 0.0,
        false_boxes=len(false_boxes),
        true_faces=len(refused),
    )
