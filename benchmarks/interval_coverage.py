"""How often the 95 % intervals hold the truth, on series whose truth is known.

    python benchmarks/interval_coverage.py [--runs 2000] [--quick]

Logits follow AR(1) processes of known autocorrelation about known means, with and without
independent noise of single frames, gaps, and from 1 to 30 frames a second; seven probabilities
follow from them. Prints, for each setting, the median n_eff and the share of runs in which the
interval holds the true mean: of edge-fea's interval, of a moving-block bootstrap (Künsch 1989),
and what a naive standard error would have claimed. Exit code 1 when edge-fea's lies outside 93 to
97 % in a setting whose true n_eff is at least 10.
"""

import argparse
import sys

import numpy as np

from edge_fea.summary.intervals import MINIMUM_N_EFF, mean_interval

SECONDS = 300
CENTRE = np.array([-1.0, -2.0, -1.5, 0.5, 0.0, -1.5, 1.0])
PHIS = (0.0, 0.3, 0.6, 0.8, 0.9, 0.94, 0.98)
LABELS_TRIED = (0, 1, 3, 6)


def softmax(logits: np.ndarray) -> np.ndarray:
    """Along the last axis."""
    powers = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)


def simulate(dice, runs: int, phi: float, noise: float, rate: int) -> np.ndarray:
    """Second series, (runs, SECONDS, 7): means over ``rate`` frames of each second."""
    shocks = dice.normal(size=(SECONDS, runs, 7))
    state, series = shocks[0], []
    for second in range(SECONDS):
        if second:
            state = phi * state + np.sqrt(1 - phi * phi) * shocks[second]
        logits = CENTRE + state
        if noise:
            frames = logits[:, None] + noise * dice.normal(size=(runs, rate, 7))
            series.append(softmax(frames).mean(axis=1))
        else:
            series.append(softmax(logits))
    return np.stack(series, axis=1)


def truth(dice, noise: float) -> np.ndarray:
    """The true means, from two million draws."""
    logits = CENTRE + np.sqrt(1 + noise**2) * dice.normal(size=(2_000_000, 7))
    return softmax(logits).mean(axis=0)


def gaps(dice) -> np.ndarray:
    """Which seconds were seen: four gaps of 5 to 30 seconds."""
    seen = np.ones(SECONDS, bool)
    for _ in range(4):
        start = dice.integers(0, SECONDS)
        seen[start : start + dice.integers(5, 30)] = False
    return np.flatnonzero(seen)


def bootstrap(dice, values: np.ndarray, draws: int = 200) -> tuple[float, float]:
    """Percentile interval of a moving-block bootstrap with blocks of n^(1/2) seconds."""
    n = len(values)
    block = round(np.sqrt(n))
    starts = dice.integers(0, n - block + 1, (draws, -(-n // block)))
    picks = (starts[..., None] + np.arange(block)).reshape(draws, -1)[:, :n]
    return tuple(np.percentile(values[picks].mean(axis=1), [2.5, 97.5]))


def coverage(dice, runs: int, phi: float, noise: float, rate: int, with_gaps: bool) -> dict:
    """Shares of runs whose interval holds the truth, over four labels."""
    true, held, sizes = truth(dice, noise), [], []
    for series in simulate(dice, runs // len(LABELS_TRIED), phi, noise, rate):
        seconds = gaps(dice) if with_gaps else np.arange(SECONDS)
        for label in LABELS_TRIED:
            values = series[seconds, label]
            ours = mean_interval(seconds, values)
            low, high = bootstrap(dice, values)
            error = values.std(ddof=1) / np.sqrt(len(values))
            held.append(
                (
                    ours.low <= true[label] <= ours.high,
                    low <= true[label] <= high,
                    abs(ours.mean - true[label]) <= 1.96 * error,
                )
            )
            sizes.append(ours.n_eff)
    ours, blocks, naive = np.mean(held, axis=0)
    return {
        "n_eff": float(np.median(sizes)),
        "flagged": float(np.mean(np.array(sizes) < MINIMUM_N_EFF)),
        "ours": ours,
        "bootstrap": blocks,
        "naive": naive,
    }


def main() -> int:
    """Print the table; the exit code says whether the intervals cover what they say."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--runs", type=int, default=2000, help="Intervals for each setting.")
    options = parser.parse_args()
    dice = np.random.default_rng(20261122)
    print("phi   noise  rate  gaps  n_eff  flagged  edge-fea  bootstrap  naive")
    good = True
    settings = [(phi, noise, 4, g) for noise in (0.0, 1.0) for g in (False, True) for phi in PHIS]
    settings += [(0.8, 1.0, rate, False) for rate in (1, 2, 10, 30)]
    for phi, noise, rate, with_gaps in settings:
        row = coverage(dice, options.runs, phi, noise, rate, with_gaps)
        # The logits' own n_eff bounds that of the probabilities from below.
        counts = row["n_eff"] >= MINIMUM_N_EFF and phi < 0.98
        good &= not counts or 0.93 <= row["ours"] <= 0.97
        print(
            f"{phi:4.2f}  {noise:5.1f}  {rate:4d}  {'yes' if with_gaps else 'no':4}  "
            f"{row['n_eff']:5.0f}  {row['flagged']:7.0%}  {row['ours']:8.1%}  "
            f"{row['bootstrap']:9.1%}  {row['naive']:5.1%}{'' if counts else '  (flagged)'}",
            flush=True,
        )
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
