"""One clip: observations in, coverage and figures out. Pure: no clock, no files."""

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from edge_fea.emotions import LABELS
from edge_fea.summary.indices import Indices, entropy_bits, indices
from edge_fea.summary.statistics import EmotionFigures, SecondSeries, emotion_figures
from edge_fea.summary.timecourse import TimeCourse, label_states, time_course
from edge_fea.vision.observation import Observation, Outcome

# Frame numbers over the rate are exact to far less than this, in seconds.
_ROUNDING = 1e-9


@dataclass(frozen=True, slots=True)
class Sufficiency:
    """When a clip has been seen enough to carry scores. A convention of this project."""

    coverage: float
    seconds: int


@dataclass(frozen=True, slots=True)
class Coverage:
    """How much of a clip was seen, and what kept the rest from being seen."""

    frames_due: int
    frames_captured: int
    outcomes: Mapping[Outcome, int]
    """Frames due by outcome, every outcome present; they add up to ``frames_due``."""

    valid_seconds: int
    """Whole seconds that hold at least one valid frame."""

    coverage: float
    """Valid seconds over the clip's duration, 0 to 1."""

    sufficient: bool


@dataclass(frozen=True, slots=True)
class Scores:
    """What the second series of a clip that was seen enough says."""

    emotion: EmotionFigures
    time_course: TimeCourse
    indices: Indices


@dataclass(frozen=True, slots=True)
class ClipFigures:
    """All that one clip's observations say."""

    duration_s: float
    coverage: Coverage
    scores: Scores | None
    """None where the clip was not seen enough: never zeros."""

    series: SecondSeries


class ClipAccumulator:
    """Collects the observations of one clip, from the frame due with number ``first`` on.

    Of each second only its first valid frame's probabilities and sums are kept: of
    probabilities, entropies and valid frames.
    """

    def __init__(self, first: int, rate: float) -> None:
        self.first = first
        self.rate = rate
        self._next = first
        self._outcomes: Counter[Outcome] = Counter()
        self._sums: dict[int, npt.NDArray[np.float64]] = {}
        self._samples: dict[int, npt.NDArray[np.float64]] = {}
        self._valid: Counter[int] = Counter()
        self._entropies: dict[int, float] = {}
        self._motion: list[float] = []

    @property
    def frames_due(self) -> int:
        """How many frames were due until now."""
        return self._next - self.first

    @property
    def duration_s(self) -> float:
        """Seconds that the frames due until now stand for."""
        return self.frames_due / self.rate

    def add(self, observation: Observation) -> None:
        """Take the next frame's observation.

        Raises ValueError unless it is the next one: each frame due has exactly one outcome, and
        the caller states what became of frames that never came.
        """
        if observation.sequence != self._next:
            raise ValueError(f"observation {observation.sequence}, expected {self._next}")
        self._outcomes[observation.outcome] += 1
        if observation.probabilities is not None:
            second = math.floor(self.frames_due / self.rate + _ROUNDING)
            total = self._sums.get(second)
            probabilities = observation.probabilities
            self._samples.setdefault(second, probabilities)
            self._sums[second] = probabilities if total is None else total + probabilities
            self._valid[second] += 1
            entropy = self._entropies.get(second, 0.0) + float(entropy_bits(probabilities))
            self._entropies[second] = entropy
            if observation.motion is not None:
                self._motion.append(observation.motion)
        self._next += 1

    def series(self) -> SecondSeries:
        """The second series until now."""
        seconds = sorted(self._sums)
        shape = (len(seconds), len(LABELS))
        means = [self._sums[second] / self._valid[second] for second in seconds]
        samples = [self._samples[second] for second in seconds]
        return SecondSeries(
            seconds=np.array(seconds, np.int64),
            frames=np.array([self._valid[second] for second in seconds], np.int64),
            means=np.array(means, np.float64).reshape(shape),
            samples=np.array(samples, np.float64).reshape(shape),
        )

    def figures(self, sufficiency: Sufficiency, duration_s: float | None = None) -> ClipFigures:
        """The clip's figures, over ``duration_s`` (that of the frames due, if not given)."""
        duration = self.duration_s if duration_s is None else duration_s
        series = self.series()
        seen = len(series.seconds)
        # A clip that ends within a second holds one second more than its duration's whole ones.
        share = min(1.0, seen / duration) if duration > 0 else 0.0
        sufficient = share >= sufficiency.coverage and seen >= sufficiency.seconds
        lost = self._outcomes[Outcome.CAPTURE_LOST] + self._outcomes[Outcome.PAUSED]
        return ClipFigures(
            duration_s=duration,
            coverage=Coverage(
                frames_due=self.frames_due,
                frames_captured=self.frames_due - lost,
                outcomes={outcome: self._outcomes[outcome] for outcome in Outcome},
                valid_seconds=seen,
                coverage=share,
                sufficient=sufficient,
            ),
            scores=self._scores(series) if sufficient else None,
            series=series,
        )

    def _scores(self, series: SecondSeries) -> Scores:
        seconds = series.seconds
        states = label_states(seconds, series.samples)
        doubt = np.array([self._entropies[s] / self._valid[s] for s in seconds.tolist()])
        return Scores(
            emotion=emotion_figures(series),
            time_course=time_course(seconds, states),
            indices=indices(series, states, doubt, np.array(self._motion)),
        )
