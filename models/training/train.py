"""Train the network: ``python -m models.training.train --help``."""

import argparse
import json
import os
import zlib
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
    as_input,
    cached,
    data_folder,
    fold_of,
    share_of,
    without_duplicates,
)
from models.training.experiments import LOG, append, command_line, run_row
from models.training.loop import Batches, Trainer
from models.training.network import NetworkConfig, build, normalise
from models.training.presets import PRESETS, Stage

CONTEXT = 0.2
"""How much surroundings training crops keep on each side, for shifts and turns to show."""
STORED = 148
HELD_OUT = 10
"""Percent of the people of LFW, and of one's own pictures, who are kept for validation."""

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
  python -m models.training.train --folder wards=PATH --share wards=0.5 ...
  python -m models.training.train --folder wards=PATH --share wards=1 --share kdef=0 \\
      --share ferplus=0 --share lfw=0 --fold none ...

A run that was stopped goes on where it was when the same command is given again. Each stage has
its own folder in OUT with state.npz, best.weights.h5, last.weights.h5 and log.csv; run.json says
how the network was built. A finished stage is a line in the log of all experiments (--log). Data
are read from EDGE_FEA_DATA (default ../shared/data). A tenth of the people in one's own pictures is
validated on, not learnt from.
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
    new.add_argument("--log", type=Path, default=LOG, help="the log (default: %(default)s)")
    new.add_argument("--steps", type=int, help="steps of each stage, instead of the preset's")
    new.add_argument(
        "--dtype", default="float32", choices=["float32", "mixed_bfloat16"],
        help="mixed_bfloat16 is faster only where the processor has it (AVX512-BF16, AMX)",
    )  # fmt: skip
    new.add_argument("--convolutions", type=int, help="1 to 6 (default: the preset's)")
    new.add_argument("--attention", choices=["none", "cam", "sam", "cbam"])
    new.add_argument("--head", choices=["gap", "flatten"])
    new.add_argument(
        "--channels", type=int, choices=[1, 3],
        help="1 luma, as the device reads, or 3 red, green and blue (KDEF only has colours)",
    )  # fmt: skip
    new.add_argument("--pools", type=int, help="max-pools, after the first so many convolutions")
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
        help="how often a source is drawn from, such as kdef=0.3; 0 leaves it out, also unread",
    )  # fmt: skip
    return new


def load(
    names: set[str], fold: str, cache: Path | None, channels: int = 1
) -> tuple[dict[str, Crops], dict[str, Crops]]:
    """The named standard sources for training, and the crops to validate on.

    Validation holds "ferplus" (its valid part) and "lfw" (a tenth of its people) wherever they are
    there, and, where a fold of KDEF is held out, "frontal" and "half" (as the device would crop
    it). Of these KDEF alone has colours, for three ``channels``.
    """
    hue = "" if channels == 1 else "-rgb"
    data = data_folder()
    train: dict[str, Crops] = {}
    valid: dict[str, Crops] = {}
    if "ferplus" in names:
        train["ferplus"] = cached(
            cache, "ferplus-train", lambda: readers.read_ferplus(data / "ferplus", "train")
        )
    if "ferplus" in names or (data / "ferplus").is_dir():
        valid["ferplus"] = cached(
            cache, "ferplus-valid", lambda: readers.read_ferplus(data / "ferplus", "valid")
        )
    if "lfw" in names or (data / "lfw_expressions").is_dir():
        lfw = cached(cache, "lfw", lambda: readers.read_lfw(data / "lfw_expressions"))
        held = share_of(lfw.people, HELD_OUT)
        valid["lfw"] = lfw.take(held)
        if "lfw" in names:
            train["lfw"] = lfw.take(~held)
    if "kdef" in names:
        kdef = cached(
            cache,
            f"kdef-train-{STORED}{hue}",
            lambda: readers.read_kdef(data / "kdef", STORED, CONTEXT, True, channels),
        )
        if fold != "none":
            train["kdef"] = kdef.take(fold_of(kdef.people) != int(fold))
            # Cut afresh from the pictures: exactly what the device would see.
            device = cached(
                cache,
                f"kdef-device-{STORED}{hue}",
                lambda: readers.read_kdef(data / "kdef", STORED, 0, channels=channels),
            )
            device = device.take(fold_of(device.people) == int(fold))
            for group in ("frontal", "half"):
                valid[group] = device.take(device.groups == group)
        else:
            train["kdef"] = kdef
    return train, valid


def own_held_out(crops: Crops) -> np.ndarray:
    """A mask of a tenth of one's own people, or of the files where no person is known.

    At least one, but nobody of fewer than three.
    """
    people = np.where(crops.people == "", crops.groups, crops.people)
    # By lot, and the same lot every time.
    names = sorted(set(people.tolist()), key=lambda name: zlib.crc32(name.encode()))
    count = max(1, len(names) * HELD_OUT // 100) if len(names) > 2 else 0
    return np.isin(people, names[:count])


def device_crops(crops: Crops, size: int, channels: int = 1) -> np.ndarray:
    """The crops as the device gives them: uint8 (n, size, size, channels), without the margin."""
    side = crops.images.shape[1]
    border = round(side * crops.margin / (1 + 2 * crops.margin))
    inner = crops.images[:, border : side - border, border : side - border]
    return as_input(np.stack([readers.whole(image, size) for image in inner]), channels)


def validator(valid: dict[str, Crops], size: int, channels: int = 1):
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

    wanted = {name for stage in stages for name in stage.shares}
    train, valid = load(wanted, options.fold, cache, network.channels)
    for option, read in (("folder", readers.read_folder), ("ravdess", readers.read_ravdess)):
        for name, path in named(getattr(options, option), f"--{option}").items():
            crops = without_duplicates(read(Path(path), STORED, CONTEXT, True, network.channels))
            held = own_held_out(crops)
            train[name], valid[name] = crops.take(~held), crops.take(held)
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
        run = {"network": config.to_json(), "seed": options.seed, "fold": options.fold}
        run |= {"preset": options.preset, "stage": stage.name}
        run |= {"command": command_line("train", arguments)}
        (folder / "run.json").write_text(json.dumps(run, indent=1) + "\n")
        trainer = Trainer(model, stage, folder, options.seed)
        if trainer.resume():
            print(f"{stage.name}: goes on at step {trainer.progress.step}", flush=True)
        done = trainer.progress.step
        batches = Batches(train, stage, options.seed, config.channels)
        check = validator(valid, stage.size, config.channels)
        trainer.run(batches, check, lambda line: print(line, flush=True))
        if done < stage.steps:
            append(run_row(folder), options.log)
        # The last, not the best: the rate has come down by then, and what is held out has chosen
        # nothing.
        start = folder / "last.weights.h5"


def _adapted(stage: Stage, options: argparse.Namespace, shares: dict[str, float]) -> Stage:
    if shares:
        mixed = {**stage.shares, **shares}
        stage = replace(stage, shares={name: share for name, share in mixed.items() if share > 0})
    return stage.quick(options.steps) if options.steps else stage


def _network(config: NetworkConfig, options: argparse.Namespace) -> NetworkConfig:
    changes = {
        key: getattr(options, key)
        for key in ("convolutions", "attention", "head", "channels", "pools")
        if getattr(options, key) is not None
    }
    if options.widths:
        changes["widths"] = widths_of(options.widths)
    return replace(config, **changes)


def widths_of(text: str) -> tuple[int, ...]:
    """Widths as the command line gives them. Raises ValueError for what is no whole number."""
    return tuple(int(width) for width in text.split(","))


if __name__ == "__main__":
    main()
