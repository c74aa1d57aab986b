"""The paper's ablation under one equal budget: ``python -m models.training.ablation --help``."""

import argparse
import csv
import json
import os
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import numpy as np

from models.training import arguments as given
from models.training.convert import Network, to_int8, write
from models.training.data import REPOSITORY, Crops
from models.training.driver import keep_settings, python, run, say
from models.training.experiments import LOG
from models.training.metrics import Interval, share_interval, softmax
from models.training.network import build, copy_weights, multiply_accumulates
from models.training.presets import PRESETS
from models.training.quantize import calibration_crops
from models.training.scores import Predictions, gain
from models.training.sources import device_crops, load
from models.training.tables import markdown, percent, points
from models.training.train import load_run, predict

DESCRIPTION = """
Trains every row of the paper's Table 1 (one to six convolutions without attention; six with
channel, spatial and both attentions), and the six with both once more on colours and once with
flatten in place of the average, all from random weights with the preset "ablation": the same
pictures in the same order, steps, rates and seed. Each is quantized; its int8 file is scored on the
KDEF people held out and on FER+ valid, and timed at the device's size on one thread, all in turns.

  python -m models.training.ablation --out RUNS/ablation --cache RUNS/cache

A run that was stopped goes on where it was when the same command is given again; what is trained
and measured is not done again. Writes OUT/ablation.csv and OUT/ablation.md.
"""
PRESET = "ablation"
DEVICE_SIZE = PRESETS["ship"].network.size
SETS = {"kdef": "KDEF", "ferplus": "FER+ valid"}
PAPER = {"cbam": "94.2 %"}
"""The paper's accuracy on KDEF, where our sources state it: for the whole network only."""


@dataclass(frozen=True)
class Variant:
    """One row: a name, what it is, and how train is told."""

    name: str
    title: str
    options: tuple[str, ...]


VARIANTS = (
    *(
        Variant(
            f"conv{count}",
            f"{count} convolution{'s' if count > 1 else ''}",
            ("--convolutions", str(count), "--attention", "none"),
        )
        for count in range(1, 7)
    ),
    Variant("cam", "6, channel attention", ("--attention", "cam")),
    Variant("sam", "6, spatial attention", ("--attention", "sam")),
    Variant("cbam", "6, CBAM", ("--attention", "cbam")),
    Variant("rgb", "6, CBAM, red, green and blue", ("--attention", "cbam", "--channels", "3")),
    Variant("flatten", "6, CBAM, flatten", ("--attention", "cbam", "--head", "flatten")),
)


def parser() -> argparse.ArgumentParser:
    """The command line."""
    new = argparse.ArgumentParser(
        prog="python -m models.training.ablation",
        description=DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    new.add_argument(
        "--out", type=given.outside, required=True, help="folder outside the repository"
    )
    new.add_argument("--cache", type=given.outside, required=True, help="the cache that train uses")
    names = [variant.name for variant in VARIANTS]
    new.add_argument("--only", default=",".join(names), help="rows to do now (default: all)")
    new.add_argument(
        "--fold", default="0", choices=given.FOLD_NAMES[:-1],
        help="KDEF people held out (default: 0)",
    )  # fmt: skip
    new.add_argument("--seed", type=int, default=1)
    new.add_argument("--steps", type=int, help="instead of the preset's")
    new.add_argument("--runs", type=int, default=200, help="timed runs each (default: 200)")
    new.add_argument("--log", type=Path, default=LOG, help="the log (default: %(default)s)")
    return new


def do_variant(variant: Variant, options: argparse.Namespace) -> None:
    """Train, quantize and score one row; what is done already is left."""
    folder = options.out / variant.name
    if (folder / "result.json").is_file():
        say(f"{variant.title}: done")
        return
    say(f"{variant.title}: training")
    steps = ["--steps", options.steps] if options.steps else []
    run("train", [
        "--preset", PRESET, *variant.options, "--fold", options.fold, "--seed", options.seed,
        "--out", folder, "--cache", options.cache, "--log", options.log, *steps,
    ], folder / "log.txt")  # fmt: skip
    say(f"{variant.title}: int8")
    measure(variant, folder, options)


def measure(variant: Variant, folder: Path, options: argparse.Namespace) -> None:
    """Write the int8 file, what it and the float network say, and a file of the device's size."""
    stage = PRESETS[PRESET].stages[-1]
    model, config, _ = load_run(folder / stage.name, "last.weights.h5")
    train, valid = load(set(stage.shares), options.fold, options.cache, config.channels)
    crops = calibration_crops(train, None, config.size, 600, options.seed, config.channels)
    content = to_int8(model, config, crops)
    write(content, folder / "trained.tflite")
    network, said = Network(content, threads=2), {}
    for name, pictures in _sets(valid).items():
        inputs = [device_crops(part, config.size, config.channels) for part in pictures]
        seen = np.concatenate(inputs)
        said |= {
            f"{name}.truth": np.concatenate([part.labels for part in pictures]),
            f"{name}.people": np.concatenate([part.people for part in pictures]),
            f"{name}.int8": network.run(seen).logits,
            f"{name}.float": predict(model, seen),
        }
    np.savez(folder / "predictions.npz", **said)

    twin = model
    if config.size != DEVICE_SIZE:
        larger = replace(config, size=DEVICE_SIZE)
        twin = build(larger)
        # The weights of an average serve every size; of flatten's only the time is wanted.
        if config.head == "gap":
            copy_weights(model, twin)
        few = calibration_crops(train, None, DEVICE_SIZE, 20, options.seed, config.channels)
        content = to_int8(twin, larger, few)
    write(content, folder / f"{variant.name}.tflite")
    result = {
        "parameters": int(twin.count_params()),
        "multiply_accumulates": multiply_accumulates(twin),
        "bytes": (folder / f"{variant.name}.tflite").stat().st_size,
    }
    (folder / "result.json").write_text(json.dumps(result, indent=1) + "\n")


def _sets(valid: Mapping[str, Crops]) -> dict[str, list[Crops]]:
    return {"kdef": [valid["frontal"], valid["half"]], "ferplus": [valid["ferplus"]]}


def predictions_of(folder: Path, name: str) -> Predictions:
    """What a row's networks said of a set."""
    with np.load(folder / "predictions.npz") as said:
        probabilities = {kind: softmax(said[f"{name}.{kind}"]) for kind in ("int8", "float")}
        return Predictions(said[f"{name}.truth"], said[f"{name}.people"], probabilities)


def latencies(folders: Sequence[Path], runs: int, out: Path) -> dict[str, dict[str, float]]:
    """Median and minimum, ms, of each row's file of the device's size, all timed in turns."""
    files = [str(folder / f"{folder.name}.tflite") for folder in folders]
    script = REPOSITORY / "benchmarks" / "network_latency.py"
    file = out / "latency.json"
    done = python(script, *files, "--runs", runs, "--json", file, stdout=subprocess.PIPE)
    if done.returncode:
        raise SystemExit(f"{script.name} failed: {done.stdout.decode(errors='replace')}")
    return {each["name"]: each for each in json.loads(file.read_text())}


def table_of(out: Path, done: Sequence[Variant], runs: int) -> list[dict[str, Any]]:
    """A row of figures for each variant; gains are against the whole network, by person."""
    times = latencies([out / variant.name for variant in done], runs, out)
    whole = {name: predictions_of(out / "cbam", name) for name in SETS} if any(
        variant.name == "cbam" for variant in done
    ) else {}  # fmt: skip
    rows = []
    for variant in done:
        row: dict[str, Any] = {"variant": variant.name, "title": variant.title}
        row |= json.loads((out / variant.name / "result.json").read_text())
        row |= {kind: times[variant.name][kind] for kind in ("median_ms", "minimum_ms")}
        for name in SETS:
            found = predictions_of(out / variant.name, name)
            for kind, probabilities in found.probabilities.items():
                right = probabilities.argmax(axis=1) == found.truth
                row[f"{name}_{kind}"] = share_interval(right, found.people)
            if whole and variant.name != "cbam":
                pair = {
                    "ours": found.probabilities["int8"],
                    "whole": whole[name].probabilities["int8"],
                }
                row[f"{name}_gain"] = gain(
                    replace(found, probabilities=pair), "ours", "whole"
                )  # fmt: skip
        rows.append(row)
    return rows


def write_tables(rows: Sequence[dict[str, Any]], out: Path, budget: str) -> str:
    """ablation.csv, and ablation.md, whose text is returned."""
    flat = []
    for row in rows:
        line: dict[str, Any] = {}
        for key, value in row.items():
            if isinstance(value, Interval):
                line |= {f"{key}_{part}": round(v, 4) for part, v in asdict(value).items()}
            else:
                line[key] = round(value, 4) if isinstance(value, float) else value
        flat.append(line)
    columns = list(dict.fromkeys(key for line in flat for key in line))
    with (out / "ablation.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows(flat)
    head = ["network", "paper, KDEF"]
    for title in SETS.values():
        head += [f"{title}, int8", "against CBAM"]
    head += ["float: KDEF", "FER+", "int8 ms", "parameters", "M mult.-acc."]
    body = []
    for row in rows:
        cells = [row["title"], PAPER.get(row["variant"], "not known")]
        for name in SETS:
            against = row.get(f"{name}_gain")
            cells += [percent(row[f"{name}_int8"]), points(against) if against else "–"]
        cells += [f"{100 * row[f'{name}_float'].value:.1f} %" for name in SETS]
        cells += [f"{row['median_ms']:.2f}", f"{row['parameters']:,}"]
        cells.append(f"{row['multiply_accumulates'] / 1e6:.0f}")
        body.append(cells)
    text = "\n".join([budget, "", *markdown(head, body)]) + "\n"
    (out / "ablation.md").write_text(text)
    return text


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command."""
    options = parser().parse_args(arguments)
    stage = PRESETS[PRESET].stages[-1]
    if options.steps:
        stage = stage.quick(options.steps)
    keep_settings(
        options.out / "settings.json",
        {"stage": asdict(stage), "fold": options.fold, "seed": options.seed},
    )
    chosen = options.only.split(",")
    unknown = sorted(set(chosen) - {variant.name for variant in VARIANTS})
    if unknown:
        raise SystemExit(f"no row {', '.join(unknown)}: see --help for those there are")
    for variant in VARIANTS:
        if variant.name in chosen:
            do_variant(variant, options)
    done = [v for v in VARIANTS if (options.out / v.name / "result.json").is_file()]
    shares = ", ".join(f"{name} {share:.0%}" for name, share in stage.shares.items())
    budget = (
        f"Each row: {stage.steps:,} steps of {stage.batch} crops of {stage.size} pixels ({shares}) "
        f"from random weights, seed {options.seed}, KDEF fold {options.fold} held out; int8 files "
        f"of {DEVICE_SIZE} pixels timed in turns, median of {options.runs} runs on one thread. "
        "Each crop is read once, not mirrored too. Differences are paired by picture and redrawn "
        "by person. Colours are KDEF's alone: the other sets are grey."
    )
    print(write_tables(table_of(options.out, done, options.runs), options.out, budget))


if __name__ == "__main__":
    main()
