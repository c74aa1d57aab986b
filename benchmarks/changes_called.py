"""How often a report calls a measure changed, over simulated patients.

    python benchmarks/changes_called.py [--reports 4000]

Days are normal with a correlation from one to the next. The latest seven are compared with fourteen
or seven days a month earlier: unchanged, or moved by two or three standard deviations of a day.
"""

import argparse

import numpy as np

from edge_fea.summary.change import shift

GAP = 30


def days(count: int, correlation: float, dice) -> np.ndarray:
    """Daily values of unit spread, each like the one before it."""
    noise = dice.normal(size=count) * np.sqrt(1.0 - correlation**2)
    values = np.empty(count)
    values[0] = dice.normal()
    for place in range(1, count):
        values[place] = correlation * values[place - 1] + noise[place]
    return values


def called(reports: int, usual: int, correlation: float, moved: float, dice) -> float:
    """Share of reports that call a change."""
    found = 0
    for _ in range(reports):
        values = days(usual + GAP + 7, correlation, dice)
        change = shift(values[:usual], values[-7:] + moved)
        found += change is not None and change.clear
    return found / reports


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--reports", type=int, default=4000)
    reports = parser.parse_args().reports
    dice = np.random.default_rng(1)
    print("correlation  usual days   unchanged   by 2 SD   by 3 SD")
    for correlation in (0.0, 0.3, 0.5, 0.7):
        for usual in (14, 7):
            shares = [called(reports, usual, correlation, moved, dice) for moved in (0.0, 2.0, 3.0)]
            print(
                f"{correlation:11.1f} {usual:11d}" + "".join(f"{share:10.1%}" for share in shares)
            )


if __name__ == "__main__":
    main()
