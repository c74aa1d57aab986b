"""Train the network: ``python -m models.training.train --help``."""

import argparse
import json
import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import cv2
import keras
import numpy as np

from models.training import arguments as given
from models.training.driver import fingerprint
from models.training.experiments import LOG, append, command_line, run_row
from models.training.loop import Batches, Trainer
from models.training.network import NetworkConfig, build, normalise
from models.training.presets import PRESETS, Stage
from models.training.sources import STANDARD, Sources, add_own, device_crops, load

DESCRIPTION = """
Train one stage of a preset, or all of them in order.

Examples, from the root of the repository:
  # once, without KDEF, so that every fold can start from it
  python -m models.training.train --stage pretrain-48 --stage pretrain-64 --stage pretrain-74 \\
      --stage pretrain-80 --fold none --out RUNS/pretrain
  # one fold of the cross-validation: its twelve people are only validated on
  python -m models.training.train --stage finetune-80 --fold 0 \\
      --start RUNS/pretrain/pretrain-80/last.weights.h5 --out RUNS/fold0
  # the network that ships: all people
  python -m models.training.train --stage finetune-80 \\
      --fold none --start RUNS/pretrain/pretrain-80/last.weights.h5 --out RUNS/all
  # own pictures (label/person/picture), beside the others or alone
  python -m models.training.train --folder wards=PATH --share wards=1 ...
  python -m models.training.train --folder wards=PATH --share wards=1 --share kdef=0 \\
      --share ferplus=0 --share lfw=0 --fold none ...

A run that was stopped goes on where it was when the same command is given again. Each stage has
its own folder in OUT with state.npz, best.weights.h5, last.weights.h5 and log.csv; run.json says
how the network was built. A finished stage is a line in the log of all experiments (--log). Data
are read from EDGE_FEA_DATA (default ../shared/data). A tenth of the people in one's own pictures is
validated on, not learnt from. A source's share of the crops is its weight by the sum of all: the
preset's add up to 1, so wards=1 beside them is a half.
"""


def parser() -> argparse.ArgumentParser:
    """The command line."""
    new = argparse.ArgumentParser(
        prog="python -m models.training.train",
        description=DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    new.add_argument(
        "--preset", choices=sorted(PRESETS), default="ship",
        help="; ".join(f"{name}: {preset.about}" for name, preset in sorted(PRESETS.items())),
    )  # fmt: skip
    new.add_argument("--stage", action="append", help="a stage of the preset (default: all)")
    new.add_argument(
        "--out", type=given.outside, required=True, help="folder outside the repository"
    )
    new.add_argument(
        "--cache", type=given.outside, help="where crops are kept (default: OUT/../cache)"
    )
    new.add_argument("--start", type=given.file, help="weights (.weights.h5) to begin with")
    new.add_argument(
        "--fold", default="0", choices=given.FOLD_NAMES,
        help="KDEF people held out: fold 0 to 4, or none (default: 0)",
    )  # fmt: skip
    new.add_argument("--seed", type=int, default=1)
    new.add_argument("--log", type=Path, default=LOG, help="the log (default: %(default)s)")
    new.add_argument("--steps", type=int, help="steps of each stage, instead of the preset's")
    new.add_argument(
        "--dtype", default="float32", choices=["float32", "mixed_bfloat16"],
        help="mixed_bfloat16 is faster only where the processor has it (AVX512-BF16, AMX)",
    )  # fmt: skip
    new.add_argument(
        "--convolutions", type=int, choices=range(1, 7), help="1 to 6 (default: the preset's)"
    )
    new.add_argument("--attention", choices=["none", "cam", "sam", "cbam"])
    new.add_argument("--head", choices=["gap", "flatten"])
    new.add_argument(
        "--channels", type=int, choices=[1, 3],
        help="1 luma, as the device reads, or 3 red, green and blue (KDEF only has colours)",
    )  # fmt: skip
    new.add_argument(
        "--pools", type=int, choices=range(6),
        help="max-pools, after the first so many convolutions",
    )  # fmt: skip
    new.add_argument(
        "--widths", type=given.widths,
        help="filters of the convolutions, such as 32,64,96,128,160,192",
    )  # fmt: skip
    new.add_argument(
        "--folder", action="append", default=[], metavar="NAME=PATH", type=given.named_folder,
        help="a folder with one sub-folder of pictures or films for each label",
    )  # fmt: skip
    new.add_argument(
        "--ravdess", action="append", default=[], metavar="NAME=PATH", type=given.named_folder,
        help="RAVDESS films",
    )  # fmt: skip
    new.add_argument(
        "--share", action="append", default=[], metavar="NAME=WEIGHT", type=given.share,
        help="how often a source is drawn from, such as kdef=0.3, beside the weights of the "
        "others; 0 leaves it out, also unread",
    )  # fmt: skip
    return new


def validator(valid: Sources, size: int, channels: int = 1):
    """A function that scores a network: accuracy on each set, and their mean as "score"."""
    inputs = {
        name: device_crops(crops, size, channels) for name, crops in valid.items() if len(crops)
    }
    labels = {name: valid[name].labels for name in inputs}

    def validate(model: keras.Model) -> dict[str, float]:
        figures = {}
        for name, crops in inputs.items():
            found = predict(model, crops).argmax(axis=1)
            figures[name] = float((found == labels[name]).mean())
        return {**figures, "score": float(np.mean(list(figures.values()))) if figures else 0.0}

    return validate


def predict(
    model: keras.Model, crops: np.ndarray, batch: int = 64, mirrored: bool = False
) -> np.ndarray:
    """Logits, float32 (n, 7), of uint8 crops (n, size, size, channels); ``mirrored``: of both."""
    if mirrored:
        return (predict(model, crops, batch) + predict(model, crops[:, :, ::-1], batch)) / 2
    parts = [crops[i : i + batch] for i in range(0, len(crops), batch)]
    run = keras.Model(model.input, model.output["logits"])
    return np.concatenate([run(normalise(part), training=False).numpy() for part in parts])


def load_run(folder: Path, weights: str) -> tuple[keras.Model, NetworkConfig, dict[str, Any]]:
    """A trained network from its stage's folder: the model, its settings, and run.json."""
    run = json.loads((folder / "run.json").read_text())
    config = NetworkConfig.from_json(run["network"])
    model = build(config)
    model.load_weights(folder / weights)
    return model, config, run


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command."""
    command = parser()
    options = command.parse_args(arguments)
    preset = PRESETS[options.preset]
    chosen = options.stage or [stage.name for stage in preset.stages]
    own = {name: ("folder", path) for name, path in options.folder}
    own |= {name: ("ravdess", path) for name, path in options.ravdess}
    with given.refusing(command):
        stages = [_adapted(preset.stage(name), options, set(own)) for name in chosen]
        network = _network(preset.network, options)
    cache = options.cache or options.out.parent / "cache"
    cv2.setNumThreads(1)
    keras.utils.set_random_seed(options.seed)

    wanted = {name for stage in stages for name in stage.shares}
    with given.refusing(command):
        train, valid = load(wanted - set(own), options.fold, cache, network.channels)
        add_own(train, valid, own, network.channels)
    for name, crops in train.items():
        counts = crops.targets.sum(axis=0).round().astype(int)
        print(f"train {name}: {len(crops)} crops, by label {counts.tolist()}")
    for name, crops in valid.items():
        print(f"valid {name}: {len(crops)} crops", flush=True)

    start = options.start
    for stage in stages:
        folder = options.out / stage.name
        config = replace(network, size=stage.size)
        model = build(config, dtype=options.dtype)
        if start is not None:
            with given.refusing(command):
                model.load_weights(start)
        learnt = {name: len(train[name]) for name in stage.shares}
        told = {"network": config.to_json(), "fold": options.fold, "dtype": options.dtype}
        told |= {"start": fingerprint(start) if start else "", "pictures": learnt}
        trainer = Trainer(model, stage, folder, options.seed, told)
        with given.refusing(command):
            resumed = trainer.resume()
        if resumed:
            print(f"{stage.name}: goes on at step {trainer.progress.step}", flush=True)
        run = {"network": config.to_json(), "seed": options.seed, "fold": options.fold}
        run |= {"preset": options.preset, "stage": stage.name, "sources": learnt}
        run |= {"folders": {name: [kind, str(path)] for name, (kind, path) in own.items()}}
        run |= {"command": command_line("train", arguments)}
        (folder / "run.json").write_text(json.dumps(run, indent=1) + "\n")
        done = trainer.progress.step
        batches = Batches(train, stage, options.seed, config.channels)
        check = validator(valid, stage.size, config.channels)
        trainer.run(batches, check, lambda line: print(line, flush=True))
        if done < stage.steps:
            append(run_row(folder), options.log)
        # The last, not the best: the rate has come down by then, and what is held out has chosen
        # nothing.
        start = folder / "last.weights.h5"


def _adapted(stage: Stage, options: argparse.Namespace, own: set[str]) -> Stage:
    mixed = {**stage.shares, **dict(options.share)}
    unknown = sorted(set(mixed) - set(STANDARD) - own)
    if unknown:
        raise ValueError(
            f"no source {', '.join(unknown)}: there are {', '.join([*STANDARD, *sorted(own)])}"
        )
    without = sorted(own - set(mixed))
    if without:
        raise ValueError(f"how much of {without[0]}? Give --share {without[0]}=WEIGHT")
    stage = replace(stage, shares={name: share for name, share in mixed.items() if share > 0})
    if not stage.shares:
        raise ValueError("no source is left to learn from: every --share is 0")
    return stage.quick(options.steps) if options.steps else stage


def _network(config: NetworkConfig, options: argparse.Namespace) -> NetworkConfig:
    changes = {
        key: getattr(options, key)
        for key in ("convolutions", "attention", "head", "channels", "pools")
        if getattr(options, key) is not None
    }
    if options.widths:
        changes["widths"] = options.widths
    return replace(config, **changes)


if __name__ == "__main__":
    main()
