"""Train the network: ``python -m models.training.train --help``."""

import argparse
import json
import os
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import cv2
import keras
import numpy as np

from models.training import readers
from models.training.data import (
    FOLDS,
    Crops,
    cached,
    data_folder,
    fold_of,
    share_of,
    without_duplicates,
)
from models.training.loop import Batches, Trainer
from models.training.network import NetworkConfig, build, normalise
from models.training.presets import PRESETS, Stage

CONTEXT = 0.2
"""How much surroundings training crops keep on each side, for shifts and turns to show."""
STORED = 148
LFW_HELD_OUT = 10
"""Percent of the LFW people who are kept for validation."""

DESCRIPTION = """
Train one stage of a preset, or all of them in order.

Examples, from the root of the repository:
  # once, without KDEF, so that every fold can start from it
  python -m models.training.train --stage pretrain-48 --stage pretrain --out RUNS/pretrain
  # one fold of the cross-validation: its twelve people are only validated on
  python -m models.training.train --stage finetune-96 --stage settle --fold 0 \\
      --start RUNS/pretrain/pretrain/last.weights.h5 --out RUNS/fold0
  # the network that ships: all people
  python -m models.training.train --stage finetune-96 --stage settle \\
      --fold none --start RUNS/pretrain/pretrain/last.weights.h5 --out RUNS/all
  # own pictures (one sub-folder for each label), alone or beside the others
  python -m models.training.train --folder wards=/data/wards --share wards=0.5 ...

A run that was stopped goes on where it was when the same command is given again. Each stage has
its own folder in OUT with state.npz, best.weights.h5, last.weights.h5 and log.csv; run.json says
how the network was built. Data are read from EDGE_FEA_DATA (default ../shared/data).
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
    new.add_argument("--out", type=Path, required=True, help="folder outside the repository")
    new.add_argument("--cache", type=Path, help="where crops are kept (default: OUT/../cache)")
    new.add_argument("--start", type=Path, help="weights (.weights.h5) to begin with")
    new.add_argument(
        "--fold", default="0", choices=[*map(str, range(FOLDS)), "none"],
        help="KDEF people held out: fold 0 to 4, or none (default: 0)",
    )  # fmt: skip
    new.add_argument("--seed", type=int, default=1)
    new.add_argument("--steps", type=int, help="steps of each stage, instead of the preset's")
    new.add_argument(
        "--dtype", default="float32", choices=["float32", "mixed_bfloat16"],
        help="mixed_bfloat16 is faster only where the processor has it (AVX512-BF16, AMX)",
    )  # fmt: skip
    new.add_argument("--convolutions", type=int, help="1 to 6 (default: the preset's)")
    new.add_argument("--attention", choices=["none", "cam", "sam", "cbam"])
    new.add_argument("--head", choices=["gap", "flatten"])
    new.add_argument("--widths", help="filters of the convolutions, such as 32,64,96,128,160,192")
    new.add_argument(
        "--folder", action="append", default=[], metavar="NAME=PATH",
        help="a folder with one sub-folder of pictures or films for each label",
    )  # fmt: skip
    new.add_argument(
        "--ravdess", action="append", default=[], metavar="NAME=PATH", help="RAVDESS films"
    )
    new.add_argument(
        "--share", action="append", default=[], metavar="NAME=SHARE",
        help="how often a source is drawn from, such as kdef=0.3",
    )  # fmt: skip
    return new


def load(
    names: set[str], fold: str, cache: Path | None
) -> tuple[dict[str, Crops], dict[str, Crops]]:
    """The named standard sources for training, and the crops to validate on.

    Validation holds "ferplus" (its valid part), "lfw" (a tenth of its people) and, where a fold is
    held out, "frontal" and "half" (KDEF as the device would crop it).
    """
    data = data_folder()
    train: dict[str, Crops] = {}
    valid: dict[str, Crops] = {}
    if "ferplus" in names:
        train["ferplus"] = cached(
            cache, "ferplus-train", lambda: readers.read_ferplus(data / "ferplus", "train")
        )
    valid["ferplus"] = cached(
        cache, "ferplus-valid", lambda: readers.read_ferplus(data / "ferplus", "valid")
    )
    lfw = cached(cache, "lfw", lambda: readers.read_lfw(data / "lfw_expressions"))
    held = share_of(lfw.people, LFW_HELD_OUT)
    if "lfw" in names:
        train["lfw"] = lfw.take(~held)
    valid["lfw"] = lfw.take(held)
    if "kdef" in names:
        kdef = cached(
            cache,
            f"kdef-train-{STORED}",
            lambda: readers.read_kdef(data / "kdef", STORED, CONTEXT, thorough=True),
        )
        if fold != "none":
            train["kdef"] = kdef.take(fold_of(kdef.people) != int(fold))
            # Cut afresh from the pictures: exactly what the device would see.
            device = cached(
                cache, f"kdef-device-{STORED}", lambda: readers.read_kdef(data / "kdef", STORED, 0)
            )
            device = device.take(fold_of(device.people) == int(fold))
            for group in ("frontal", "half"):
                valid[group] = device.take(device.groups == group)
        else:
            train["kdef"] = kdef
    return train, valid


def device_crops(crops: Crops, size: int) -> np.ndarray:
    """The crops as the device gives them: uint8 (n, size, size, 1), without the margin."""
    side = crops.images.shape[1]
    border = round(side * crops.margin / (1 + 2 * crops.margin))
    inner = crops.images[:, border : side - border, border : side - border]
    return np.stack([readers.whole(image, size) for image in inner])[..., None]


def validator(valid: dict[str, Crops], size: int):
    """A function that scores a network: accuracy on each set, and their mean as "score"."""
    inputs = {name: device_crops(crops, size) for name, crops in valid.items() if len(crops)}
    labels = {name: valid[name].labels for name in inputs}

    def validate(model: keras.Model) -> dict[str, float]:
        figures = {}
        for name, crops in inputs.items():
            found = predict(model, crops).argmax(axis=1)
            figures[name] = float((found == labels[name]).mean())
        return {**figures, "score": float(np.mean(list(figures.values())))}

    return validate


def predict(model: keras.Model, crops: np.ndarray, batch: int = 64) -> np.ndarray:
    """Logits, float32 (n, 7), of uint8 crops (n, size, size, 1)."""
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


def named(pairs: Sequence[str], option: str) -> dict[str, str]:
    """NAME=VALUE options as a dictionary."""
    found = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not (name and equals and value):
            raise SystemExit(f"{option} wants NAME=VALUE, not {pair!r}")
        found[name] = value
    return found


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command."""
    options = parser().parse_args(arguments)
    preset = PRESETS[options.preset]
    chosen = options.stage or [stage.name for stage in preset.stages]
    stages = [preset.stage(name) for name in chosen]
    shares = {name: float(value) for name, value in named(options.share, "--share").items()}
    stages = [_adapted(stage, options, shares) for stage in stages]
    network = _network(preset.network, options)
    cache = options.cache or options.out.parent / "cache"
    cv2.setNumThreads(1)
    keras.utils.set_random_seed(options.seed)

    train, valid = load({name for stage in stages for name in stage.shares}, options.fold, cache)
    for option, read in (("folder", readers.read_folder), ("ravdess", readers.read_ravdess)):
        for name, path in named(getattr(options, option), f"--{option}").items():
            held_out = valid.get("frontal")
            train[name] = without_duplicates(
                read(Path(path), STORED, CONTEXT, thorough=True), held_out
            )
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
            model.load_weights(start)
        folder.mkdir(parents=True, exist_ok=True)
        command = " ".join(["python -m models.training.train", *(arguments or sys.argv[1:])])
        run = {"network": config.to_json(), "seed": options.seed, "fold": options.fold}
        run |= {"preset": options.preset, "stage": stage.name, "command": command}
        (folder / "run.json").write_text(json.dumps(run, indent=1) + "\n")
        trainer = Trainer(model, stage, folder, options.seed)
        if trainer.resume():
            print(f"{stage.name}: goes on at step {trainer.progress.step}", flush=True)
        report = lambda line: print(line, flush=True)  # noqa: E731
        trainer.run(Batches(train, stage, options.seed), validator(valid, stage.size), report)
        # The last, not the best: the rate has come down by then, and what is held out has chosen
        # nothing.
        start = folder / "last.weights.h5"


def _adapted(stage: Stage, options: argparse.Namespace, shares: dict[str, float]) -> Stage:
    if shares:
        stage = replace(stage, shares={**stage.shares, **shares})
    return stage.quick(options.steps) if options.steps else stage


def _network(config: NetworkConfig, options: argparse.Namespace) -> NetworkConfig:
    changes = {
        key: getattr(options, key)
        for key in ("convolutions", "attention", "head")
        if getattr(options, key) is not None
    }
    if options.widths:
        changes["widths"] = tuple(int(width) for width in options.widths.split(","))
    return replace(config, **changes)


if __name__ == "__main__":
    main()
