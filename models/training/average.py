"""Average networks that began alike: ``python -m models.training.average --help``.

Networks fine-tuned from the same weights with other seeds end close enough to each other for the
mean of their weights to be a network too, one that tends to err less than each of them (Wortsman
et al. 2022, "Model soups"). It costs the device nothing.
"""

import argparse
import json
import os
from collections.abc import Sequence
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras
import numpy as np

from models.training import arguments as given
from models.training.experiments import command_line
from models.training.network import build
from models.training.train import load_run

ALIKE = ("network", "fold", "sources", "stage")
"""What the runs to average must have in common."""

DESCRIPTION = """
Average the weights of several runs of one stage that differ by their seed alone:

  python -m models.training.average RUNS/all/seed1/finetune-80 RUNS/all/seed2/finetune-80 \\
      --out RUNS/all/finetune-80

OUT then stands for a run of that stage: it holds last.weights.h5 and run.json.
"""


def average(runs: Sequence[Path], weights: str = "last.weights.h5") -> tuple[keras.Model, dict]:
    """The network with the mean of all weights, batch statistics included, and its run.json.

    Raises ValueError where the runs differ by more than their seed, or are one.
    """
    if len(set(runs)) < 2:
        raise ValueError("give two runs or more: the mean of one is itself")
    loaded = [load_run(folder, weights) for folder in runs]
    first = loaded[0][2]
    for folder, (_, _, run) in zip(runs, loaded, strict=True):
        differing = [key for key in ALIKE if run[key] != first[key]]
        if differing:
            raise ValueError(f"{folder} is of another {differing[0]} than {runs[0]}")
    mean = build(loaded[0][1])
    each = [model.get_weights() for model, _, _ in loaded]
    mean.set_weights([np.mean(values, axis=0) for values in zip(*each, strict=True)])
    return mean, {**first, "seeds": [run["seed"] for _, _, run in loaded]}


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(
        prog="python -m models.training.average",
        description=DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("runs", nargs="+", type=given.folder, help="stages' folders, from train")
    parser.add_argument("--out", type=given.outside, required=True, help="the folder to write")
    options = parser.parse_args(arguments)
    with given.refusing(parser):
        mean, run = average(options.runs)
    options.out.mkdir(parents=True, exist_ok=True)
    mean.save_weights(options.out / "last.weights.h5")
    run["command"] = command_line("average", arguments)
    (options.out / "run.json").write_text(json.dumps(run, indent=1) + "\n")
    print(f"{options.out}: the mean of {len(options.runs)} networks, seeds {run['seeds']}")


if __name__ == "__main__":
    main()
