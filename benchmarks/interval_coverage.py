"""How often the 95 % intervals hold the truth, and what the frame rate changes.

    python benchmarks/interval_coverage.py [--runs 2000]

Logits follow processes of known mean and autocorrelation; seven probabilities follow from them,
second by second, with and without independent noise of single frames and gaps. The processes:

    ar     AR(1), the one that the intervals' settings were chosen on
    mixed  a fast (0.5) and a slow (0.97) AR(1) together
    two    a face that switches between two expressions, dwelling so many seconds on average

Each of the runs is a clip of its own, with one label of it. Printed for each setting: the true
n_eff (the spread of all runs' means tells it; of P(neutral)), the median estimate, the share of
runs in which the interval holds the true mean, of all and of those that are not flagged, beside a
moving-block bootstrap (Künsch 1989) and what a naive standard error would have claimed. Then, with
the same process filmed at 1 to 30 frames a second, how far each statistic moves. Exit code 1 when
edge-fea's intervals cover less than 93 or more than 97 % in an ``ar`` or ``two`` setting with a
true n_eff of at least 10, or a statistic moves by more than 1 %, by more than twice its standard
error: what few frames happen to see differs from clip to clip.
"""

import argparse
import sys
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from edge_fea.summary.clip import ClipAccumulator, Sufficiency
from edge_fea.summary.intervals import MINIMUM_N_EFF, mean_interval
from edge_fea.vision.observation import Observation, Outcome

SECONDS = 300
CENTRE = np.array([-1.0, -2.0, -1.5, 0.5, 0.0, -1.5, 1.0])
NEUTRAL_FACE = np.array([-1.0, -2.0, -1.5, -1.0, -1.0, -1.5, 2.0])
SAD_FACE = np.array([-1.0, -2.0, -1.5, -1.0, 1.5, -1.5, 0.0])
LABELS_TRIED = (0, 1, 3, 4, 6)
TOLERANCE = 0.01
"""Two standard errors of a share of 95 % in 2,000 runs."""


def softmax(logits: np.ndarray) -> np.ndarray:
    """Along the last axis."""
    powers = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)


def autoregressive(dice, runs: int, phi: float) -> np.ndarray:
    """Unit AR(1) processes, (runs, SECONDS, 7)."""
    shocks = dice.normal(size=(SECONDS, runs, 7))
    states = [shocks[0]]
    for shock in shocks[1:]:
        states.append(phi * states[-1] + np.sqrt(1 - phi * phi) * shock)
    return np.stack(states, axis=1)


def ar(dice, runs: int, phi: float) -> np.ndarray:
    """Logits about CENTRE."""
    return CENTRE + autoregressive(dice, runs, phi)


def mixed(dice, runs: int, _: float) -> np.ndarray:
    """Logits that move fast and slowly."""
    fast, slow = autoregressive(dice, runs, 0.5), autoregressive(dice, runs, 0.97)
    return CENTRE + 0.8 * fast + 0.6 * slow


def two(dice, runs: int, dwell: float) -> np.ndarray:
    """Logits of a face that is neutral or sad, for ``dwell`` seconds on average."""
    changes = dice.random((runs, SECONDS)) < 1.0 / dwell
    changes[:, 0] = dice.random(runs) < 0.5
    sad = np.cumsum(changes, axis=1) % 2 == 1
    return np.where(sad[..., np.newaxis], SAD_FACE, NEUTRAL_FACE)


@dataclass(frozen=True)
class Setting:
    """A process with its parameter, the noise of single frames, and what is seen of it."""

    process: Callable[..., np.ndarray]
    parameter: float
    noise: float = 0.0
    rate: int = 4
    gaps: bool = False

    def series(self, dice, runs: int) -> np.ndarray:
        """Second series (runs, SECONDS, 7): means over ``rate`` frames of each second."""
        logits = self.process(dice, runs, self.parameter)
        if not self.noise:
            return softmax(logits)
        shape = (runs, SECONDS, 7)
        frames = (softmax(logits + self.noise * dice.normal(size=shape)) for _ in range(self.rate))
        return sum(frames) / self.rate

    def __str__(self) -> str:
        """The first columns of the table."""
        seen = "gaps" if self.gaps else "all"
        name = f"{self.process.__name__:5} {self.parameter:5.2f}"
        return f"{name}  noise {self.noise:3.1f}  {self.rate:2d}/s  {seen:4}"


def seen_seconds(dice, with_gaps: bool) -> np.ndarray:
    """Which seconds were seen: four gaps of 5 to 30 seconds, or all."""
    seen = np.ones(SECONDS, bool)
    for _ in range(4 if with_gaps else 0):
        start = dice.integers(0, SECONDS)
        seen[start : start + dice.integers(5, 30)] = False
    return np.flatnonzero(seen)


def means_seen(series: np.ndarray, with_gaps: bool) -> np.ndarray:
    """Each clip's means over the seconds that were seen of it, (runs, 7)."""
    if not with_gaps:
        return series.mean(axis=1)
    dice = np.random.default_rng(len(series))
    return np.stack([clip[seen_seconds(dice, with_gaps)].mean(axis=0) for clip in series])


def bootstrap(dice, values: np.ndarray, draws: int = 200) -> tuple[float, float]:
    """Percentile interval of a moving-block bootstrap with blocks of n^(1/2) seconds."""
    n = len(values)
    block = round(np.sqrt(n))
    starts = dice.integers(0, n - block + 1, (draws, -(-n // block)))
    picks = (starts[..., None] + np.arange(block)).reshape(draws, -1)[:, :n]
    return tuple(np.percentile(values[picks].mean(axis=1), [2.5, 97.5]))


def coverage(dice, runs: int, setting: Setting) -> tuple[str, bool]:
    """A line of the table, and whether it is as it should be."""
    many = [setting.series(dice, 2000) for _ in range(3)]
    truth = np.mean([part.mean(axis=(0, 1)) for part in many], axis=0)
    of_means = np.concatenate([means_seen(part, setting.gaps) for part in many]).var(axis=0)
    n_eff = float((np.mean([part.var(axis=(0, 1)) for part in many], axis=0) / of_means)[6])
    held, sizes = [], []
    for run in setting.series(dice, runs):
        seconds = seen_seconds(dice, setting.gaps)
        label = dice.choice(LABELS_TRIED if setting.process is not two else (4, 6))
        values, true = run[seconds, label], truth[label]
        ours = mean_interval(seconds, values)
        low, high = bootstrap(dice, values)
        error = 1.96 * values.std(ddof=1) / np.sqrt(len(values))
        naive = abs(ours.mean - true) <= error
        held.append((ours.low <= true <= ours.high, low <= true <= high, naive))
        sizes.append(ours.n_eff)
    covered, flagged = np.array(held), np.array(sizes) < MINIMUM_N_EFF
    ours, blocks, naive = covered.mean(axis=0)
    plain = f"{covered[~flagged, 0].mean():8.1%}" if (~flagged).any() else "       -"
    judged = setting.process is not mixed and n_eff >= MINIMUM_N_EFF
    good = not judged or 0.93 - TOLERANCE <= ours <= 0.97 + TOLERANCE
    line = (
        f"{setting}  {n_eff:6.1f}  {np.median(sizes):6.1f}  {flagged.mean():7.0%}  {ours:8.1%}  "
        f"{plain}  {blocks:9.1%}  {naive:5.1%}"
    )
    return line + ("" if good else "  <- not 93 to 97 %"), good


RATES = (1, 2, 5, 10, 15, 30)


def statistics(frames: np.ndarray, rate: int) -> dict[str, float]:
    """Every statistic of a clip (SECONDS * 30, 7), filmed at ``rate`` of the 30 frames."""
    accumulator = ClipAccumulator(0, rate)
    for number, probabilities in enumerate(frames[:: 30 // rate]):
        accumulator.add(Observation(number, Outcome.VALID, probabilities))
    scores = accumulator.figures(Sufficiency(0.0, 1)).scores
    assert scores is not None
    emotion, course, indices = scores.emotion, scores.time_course, scores.indices
    wide = [(i.high - i.low, i.n_eff) for i in (*emotion.intervals, indices.negative)]
    return {
        "mean_neutral": float(emotion.mean[6]),
        "mean_sad": float(emotion.mean[4]),
        "margin": emotion.margin,
        "sd_neutral": float(emotion.sd[6]),
        "sd_sad": float(emotion.sd[4]),
        "dwell_neutral_s": float(course.dwell_s[6]),
        "bouts_neutral": float(course.bouts[6]),
        "transitions_per_min": course.transitions_per_min,
        "negative_mean": indices.negative.mean,
        "negative_time": indices.negative_time,
        "negative_mssd": indices.negative_mssd or 0.0,
        "negative_inertia": indices.negative_inertia or 0.0,
        "expressivity_mean": indices.expressivity.mean,
        "expressivity_sd": indices.expressivity_sd,
        "variety_bits": indices.variety_bits,
        "doubt_bits": indices.doubt_bits,
        "width of intervals *": float(np.mean([w for w, _ in wide])),
        "n_eff *": float(np.mean([n for _, n in wide])),
    }


def frame_rates(dice, clips: int) -> bool:
    """Print how far each statistic moves from 30 frames a second to fewer."""
    found: dict[str, np.ndarray] = {}
    for place in range(clips):
        logits = np.repeat(ar(dice, 1, 0.9)[0], 30, axis=0)
        frames = softmax(logits + dice.normal(size=logits.shape))
        for column, rate in enumerate(RATES):
            for name, value in statistics(frames, rate).items():
                found.setdefault(name, np.zeros((clips, len(RATES))))[place, column] = value
    print(f"\nmean over {clips} clips (ar 0.90, noise 1.0), and how far it moves from 30 frames/s")
    print(
        f"{'':26}{'30/s':>8}" + "".join(f"{rate:>7}/s" for rate in RATES[:-1]) + "   error at 1/s"
    )
    good = True
    for name, values in found.items():
        whole = values[:, -1].mean()
        apart = (values[:, :-1] - values[:, -1:]) / whole
        moves, errors = apart.mean(axis=0), apart.std(axis=0, ddof=1) / np.sqrt(clips)
        good &= name.endswith("*") or bool((abs(moves) <= 0.01 + 2 * errors).all())
        columns = "".join(f"{move:9.2%}" for move in moves)
        print(f"{name:26}{whole:8.3f}{columns}{errors[0]:9.2%}", flush=True)
    print("* say how precise a mean is, which depends on how noisy its seconds are")
    return good


def main() -> int:
    """Print the tables; the exit code says whether they are as they should be."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--runs", type=int, default=2000, help="Clips for each setting.")
    parser.add_argument("--clips", type=int, default=60, help="Clips at each frame rate.")
    options = parser.parse_args()
    dice = np.random.default_rng(20261122)
    settings = [
        Setting(ar, phi, noise, 4, gaps)
        for noise in (0.0, 1.0)
        for gaps in (False, True)
        for phi in (0.0, 0.3, 0.6, 0.8, 0.9, 0.94, 0.98)
    ]
    settings += [Setting(ar, 0.8, 1.0, rate) for rate in (1, 2, 10, 30)]
    settings += [Setting(two, dwell, 0.7) for dwell in (4, 10, 20, 40)]
    settings += [Setting(mixed, 0.0, noise) for noise in (0.0, 1.0)]
    settings += [Setting(ar, phi, 1.0, rate) for rate in (1, 30) for phi in (0.9, 0.94, 0.96, 0.98)]
    print(f"{'':35}  n_eff  estim.  flagged  edge-fea  unflagd  bootstrap  naive")
    good = True
    for setting in settings:
        line, fine = coverage(dice, options.runs, setting)
        good &= fine
        print(line, flush=True)
    return 0 if frame_rates(dice, options.clips) and good else 1


if __name__ == "__main__":
    sys.exit(main())
