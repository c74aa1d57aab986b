"""A wider network that begins where another is: ``python -m models.training.widen --help``."""

import argparse
import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras
import numpy as np
import numpy.typing as npt

from models.training import arguments as given
from models.training.network import NetworkConfig, build
from models.training.train import load_run

DESCRIPTION = """
Copies filters of a trained network until its layers have the widths that are asked for, and shares
out what they give, so that the wider network says the same (Chen, Goodfellow and Shlens 2016,
"Net2Net", arXiv:1511.05641). Each copy gets a little noise, or both would learn the same for ever.
Only the spatial attention sees a difference: its mean runs over the copies too.

  python -m models.training.widen --run RUNS/pretrain/pretrain-80 \\
      --widths 32,64,128,192,256,320 --out RUNS/wide/start.weights.h5
"""


def parser() -> argparse.ArgumentParser:
    """The command line."""
    new = argparse.ArgumentParser(
        prog="python -m models.training.widen",
        description=DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    new.add_argument("--run", type=given.folder, required=True, help="a stage's folder, from train")
    new.add_argument("--weights", default="last.weights.h5", help="in RUN (default: %(default)s)")
    new.add_argument(
        "--widths", type=given.widths, required=True, help="filters of the convolutions"
    )
    new.add_argument("--out", type=Path, required=True, help="the file to write (.weights.h5)")
    new.add_argument(
        "--noise", type=float, default=0.05,
        help="of each copy, in standard deviations of its layer (default: %(default)s)",
    )  # fmt: skip
    new.add_argument("--seed", type=int, default=1)
    return new


class _Copies:
    """Which old channel each new one is a copy of."""

    def __init__(self, old: int, new: int, dice: np.random.Generator) -> None:
        self.old = old
        self.source = np.concatenate([np.arange(old), dice.integers(0, old, new - old)])
        counts = np.bincount(self.source, minlength=old)
        self.share = (1.0 / counts[self.source]).astype(np.float32)

    def taken(self, weights: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Weights (..., in, out) that take what the copies give: each gives its share."""
        return weights[..., self.source, :] * self.share[:, None]

    def given(self, values: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Values (..., out) for the copies."""
        return values[..., self.source]


def widen(
    source: keras.Model, config: NetworkConfig, widths: Sequence[int], noise: float, seed: int
) -> keras.Model:
    """The network of ``config``, whose weights ``source`` has, with the given ``widths``.

    Raises ValueError where a layer would become narrower, or the head is "flatten".
    """
    if len(widths) != len(config.widths) or any(
        new < old for new, old in zip(widths, config.widths, strict=True)
    ):
        raise ValueError(f"widths are {list(widths)}: each must be at least {list(config.widths)}")
    if config.head != "gap":
        raise ValueError(f"head is {config.head}: only gap can be widened")
    dice = np.random.default_rng(seed)
    target = build(replace(config, widths=tuple(widths)))
    given = {layer.name: layer.get_weights() for layer in source.layers}

    def put(name: str, *weights: npt.NDArray[np.float32]) -> None:
        target.get_layer(name).set_weights(list(weights))

    def noisy(weights: npt.NDArray[np.float32], copies: _Copies) -> npt.NDArray[np.float32]:
        spread = noise * weights.std()
        new = weights[..., copies.old :]
        new += dice.normal(0.0, spread, new.shape).astype(np.float32)
        return weights

    before = _Copies(config.channels, config.channels, dice)
    for number in range(1, config.convolutions + 1):
        copies = _Copies(config.widths[number - 1], widths[number - 1], dice)
        (kernel,) = given[f"conv{number}"]
        put(f"conv{number}", noisy(copies.given(before.taken(kernel)), copies))
        put(f"norm{number}", *(copies.given(values) for values in given[f"norm{number}"]))
        before = copies
    if config.attention in ("cam", "cbam"):
        old, new = (max(wide[config.convolutions - 1] // config.reduction, 1)
                    for wide in (config.widths, widths))  # fmt: skip
        hidden = _Copies(old, new, dice)
        kernel, bias = given["channel_hidden"]
        put("channel_hidden", noisy(hidden.given(before.taken(kernel)), hidden), hidden.given(bias))
        kernel, bias = given["channel_output"]
        put("channel_output", before.given(hidden.taken(kernel)), before.given(bias))
    for name in ("dense1", "face_hidden"):
        kernel, bias = given[name]
        put(name, before.taken(kernel), bias)
    for name in ("spatial_conv", "logits", "face"):
        if name in given:
            put(name, *given[name])
    return target


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command."""
    options = parser().parse_args(arguments)
    source, config, _ = load_run(options.run, options.weights)
    try:
        wider = widen(source, config, options.widths, options.noise, options.seed)
    except ValueError as error:
        parser().error(str(error))
    options.out.parent.mkdir(parents=True, exist_ok=True)
    wider.save_weights(options.out)
    print(f"{options.out}: {wider.count_params():,} parameters")


if __name__ == "__main__":
    main()
