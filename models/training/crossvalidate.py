"""Cross-validate over KDEF, by person: ``python -m models.training.crossvalidate --help``.

Each of KDEF's people is held out once, with eleven others: a network is fine-tuned on the rest,
given its face head, quantized, and run through the device's classifier on those twelve.
"""

import argparse
import os
import time
from collections.abc import Sequence
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import numpy as np

from edge_fea.vision.classifier import Classifier
from models.training import arguments as given
from models.training.data import FOLDS
from models.training.driver import fingerprint, keep_settings, run, say
from models.training.evaluate import classify
from models.training.experiments import LOG, append, command_line, evaluation_row
from models.training.folds import CrossValidation, conclude
from models.training.metrics import logits_of
from models.training.negatives import Negatives
from models.training.presets import PRESETS
from models.training.sources import device_crops, load
from models.training.train import load_run, predict

DESCRIPTION = """
For each fold: train (fine-tuning from --start, which must not have seen KDEF), face_head, quantize,
and the int8 file through the device's classifier on the twelve people held out, on FER+ valid and
on the LFW people held out. Then all folds are pooled; intervals redraw whole people.

  python -m models.training.crossvalidate --start RUNS/pretrain/pretrain-80/last.weights.h5 \\
      --negatives RUNS/cache/negatives.npz --cache RUNS/cache --out RUNS/cv
  # options of train come last, after two dashes
  python -m models.training.crossvalidate ... -- --share kdef=0.45

A run that was stopped goes on where it was when the same command is given again; a fold that is
done is not done again. OUT/fold0/log.txt and so on tell how far it is. The results are
OUT/results.json, OUT/results.md and OUT/figures; quantize --cross-validated OUT puts them into the
manifest of a network that was trained on everybody with the same settings.
"""
NAME = "fold-int8"


def parser() -> argparse.ArgumentParser:
    """The command line."""
    new = argparse.ArgumentParser(
        prog="python -m models.training.crossvalidate",
        description=DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    new.add_argument(
        "--start", type=given.file, required=True, help="weights pre-trained without KDEF"
    )
    new.add_argument(
        "--out", type=given.outside, required=True, help="folder outside the repository"
    )
    new.add_argument("--cache", type=given.outside, required=True, help="the cache that train used")
    new.add_argument("--negatives", type=given.file, required=True, help="from negatives")
    new.add_argument("--preset", choices=sorted(PRESETS), default="ship")
    new.add_argument("--stage", action="append", help="of the preset (default: finetune-80)")
    new.add_argument("--seed", type=int, default=1)
    every = ",".join(map(str, range(FOLDS)))
    new.add_argument(
        "--folds", default=every, type=given.folds, help="which to do now (default: %(default)s)"
    )
    new.add_argument("--log", type=Path, default=LOG, help="the log (default: %(default)s)")
    new.add_argument("--note", default="", help="what to say of it in the log")
    new.add_argument("train", nargs="*", metavar="-- OPTIONS", help="further options of train")
    return new


def do_fold(fold: int, options: argparse.Namespace, stages: Sequence[str]) -> None:
    """One fold, from its training to its predictions; what is done already is left."""
    folder = options.out / f"fold{fold}"
    log, last = folder / "log.txt", folder / stages[-1]
    if (folder / "predictions.npz").is_file():
        say(f"fold {fold} is done")
        return
    shared = ["--negatives", options.negatives, "--cache", options.cache]
    say(f"fold {fold}: {', '.join(stages)}")
    run("train", [
        "--preset", options.preset, *(word for name in stages for word in ("--stage", name)),
        "--fold", fold, "--seed", options.seed, "--start", options.start, "--out", folder,
        "--cache", options.cache, "--log", options.log, *options.train,
    ], log)  # fmt: skip
    if not (last / "with-face.weights.h5").is_file():
        say(f"fold {fold}: face head")
        run("face_head", ["--run", last, "--seed", options.seed, *shared], log)
    if not (folder / f"{NAME}.json").is_file():
        say(f"fold {fold}: int8")
        run("quantize", [
            "--run", last, "--weights", "with-face.weights.h5", "--name", NAME, "--to", folder,
            *shared,
        ], log)  # fmt: skip
    say(f"fold {fold}: predictions")
    write_predictions(folder, last, fold, options.cache, options.negatives)


def write_predictions(folder: Path, stage: Path, fold: int, cache: Path, negatives: Path) -> None:
    """Write what the fold's network says of what it has not seen: no pictures, numbers only.

    For each set: truth, people, probabilities in int8 through the device's classifier and in
    float, and P(face); for false boxes kept aside: P(face), whether the device's own settings find
    them, and the work they are from.
    """
    classifier = Classifier(folder / f"{NAME}.json")
    manifest = classifier.manifest
    model = load_run(stage, "with-face.weights.h5")[0]
    kept: dict[str, np.ndarray] = {"temperature": np.asarray(manifest.temperature)}
    for name, crops in load({"kdef"}, str(fold), cache)[1].items():
        probabilities, faces = classify(classifier, crops)
        logits = predict(
            model, device_crops(crops, manifest.input.size), mirrored=manifest.input.mirrored
        )
        kept |= {
            f"{name}.truth": crops.labels,
            f"{name}.people": crops.people,
            f"{name}.groups": crops.groups,
            f"{name}.int8": logits_of(probabilities, manifest.temperature),
            f"{name}.float": logits,
            f"{name}.face": faces,
        }
    aside = Negatives.read(negatives).to_measure(str(fold))
    kept |= {
        "false.face": classify(classifier, aside.as_crops())[1],
        "false.strict": aside.strict,
        "false.groups": aside.groups,
        "threshold": np.asarray(manifest.face_check.threshold if manifest.face_check else 0.0),
    }
    partial = folder / "predictions.partial.npz"
    np.savez(partial, **kept)
    partial.replace(folder / "predictions.npz")


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command."""
    options = parser().parse_args(arguments)
    stages = options.stage or ["finetune-80"]
    began = time.monotonic()
    keep_settings(options.out / "settings.json", {
        "preset": options.preset, "stages": stages, "seed": options.seed, "train": options.train,
        "start": fingerprint(options.start), "negatives": fingerprint(options.negatives),
    })  # fmt: skip
    for fold in options.folds:
        do_fold(fold, options, stages)
    missing = [
        fold for fold in range(FOLDS)
        if not (options.out / f"fold{fold}" / "predictions.npz").is_file()
    ]  # fmt: skip
    if missing:
        say(f"still to do: folds {', '.join(map(str, missing))}")
        return
    accuracies = conclude(CrossValidation(options.out))
    minutes = (time.monotonic() - began) / 60
    row = evaluation_row(
        "cross-validation",
        "all",
        minutes,
        accuracies,
        command_line("crossvalidate", arguments),
        options.note,
    )
    append(row, options.log)


if __name__ == "__main__":
    main()
