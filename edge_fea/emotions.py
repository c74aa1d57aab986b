"""The seven expression labels, their order, and which of them count as negative.

Every array of probabilities in edge-fea has this order along its last axis.
"""

from typing import Final

LABELS: Final[tuple[str, ...]] = (
    "angry",
    "disgust",
    "fear",
    "happy",
    "sad",
    "surprise",
    "neutral",
)
NEGATIVE: Final[frozenset[str]] = frozenset({"angry", "disgust", "fear", "sad"})
NEUTRAL: Final[str] = "neutral"
