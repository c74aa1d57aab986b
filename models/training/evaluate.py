"""Measure a network as the device runs it: ``python -m models.training.evaluate --help``."""

import argparse
import json
import os
import time
from collections.abc import Sequence
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import numpy as np
import numpy.typing as npt

from edge_fea.emotions import LABELS
from edge_fea.vision.classifier import Classifier
from models.training import readers
from models.training.data import Crops
from models.training.experiments import LOG, append, command_line, evaluation_row
from models.training.figures import draw_all
from models.training.metrics import share_interval, softmax
from models.training.negatives import Negatives
from models.training.scores import PAPER_FIVE, Predictions, titled
from models.training.tables import percent, report
from models.training.train import device_crops, load, load_run, named, predict

DESCRIPTION = """
Accuracy, precision, recall, AUC, calibration and confusion of a network, through the device's own
classifier, on FER+ valid, the held-out LFW people, the held-out fold of KDEF, and any folder of
labelled pictures or RAVDESS films. 95 % intervals redraw whole people. With --run the float network
stands beside the int8 one, with the temperature that was fitted for int8.

Examples:
  python -m models.training.evaluate --manifest models/cbam6-80-int8.json --fold 0 \\
      --run RUNS/fold0/finetune-80 --weights with-face.weights.h5 --cache RUNS/cache \\
      --figures models/figures
  python -m models.training.evaluate --manifest models/cbam6-80-int8.json \\
      --folder wards=/data/wards --classes angry,disgust,fear,happy,neutral

It prints Markdown; --figures adds plots, --json the same figures for programs.
"""


def parser() -> argparse.ArgumentParser:
    """The command line."""
    new = argparse.ArgumentParser(
        prog="python -m models.training.evaluate",
        description=DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    new.add_argument("--manifest", type=Path, required=True, help="of the int8 network")
    new.add_argument("--run", type=Path, help="its stage's folder, from train: for the float one")
    new.add_argument(
        "--weights", default="with-face.weights.h5", help="in RUN (default: %(default)s)"
    )
    new.add_argument("--fold", default="none", help="KDEF people to score on: 0 to 4, or none")
    new.add_argument("--cache", type=Path, help="folder outside the repository for crops")
    new.add_argument("--folder", action="append", default=[], metavar="NAME=PATH")
    new.add_argument("--ravdess", action="append", default=[], metavar="NAME=PATH")
    new.add_argument(
        "--classes", default=",".join(LABELS),
        help=f"score on these only, such as {','.join(PAPER_FIVE)} (the paper's)",
    )  # fmt: skip
    new.add_argument("--negatives", type=Path, help="from negatives: measures the face check too")
    new.add_argument("--figures", type=Path, help="folder for plots")
    new.add_argument("--json", type=Path, help="write the figures here too")
    new.add_argument("--log", type=Path, default=LOG, help="the log (default: %(default)s)")
    new.add_argument("--note", default="", help="what to say of it in the log")
    return new


def classify(
    classifier: Classifier, crops: Crops
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Probabilities (n, 7) and P(face) (n,; 1 without a face check), through the device's code."""
    size = classifier.manifest.input.size
    readings = [classifier.read(crop[..., 0]) for crop in device_crops(crops, size)]
    faces = [1.0 if reading.face is None else reading.face for reading in readings]
    return np.stack([reading.probabilities for reading in readings]), np.asarray(faces)


def face_check_lines(
    classifier: Classifier, faces: npt.NDArray[np.float64], negatives: Negatives
) -> list[str]:
    """What the face check does to true faces, P(face) (n,), and to false boxes kept aside."""
    check = classifier.manifest.face_check
    if check is None:
        return []
    aside = negatives.take(negatives.held_out()).from_life()
    _, false = classify(classifier, aside.as_crops())
    passed = share_interval(false >= check.threshold, aside.groups)
    refused = share_interval(faces < check.threshold, np.full(len(faces), ""))
    works = len(set(aside.groups.tolist()))
    lines = [
        f"Face check at P(face) >= {check.threshold:.3f}: refuses {percent(refused)} of "
        f"{len(faces)} true faces, lets through {percent(passed)} of {len(false)} false boxes "
        f"from {works} works"
    ]
    strict = aside.strict
    if strict.any():
        share = share_interval((false >= check.threshold)[strict], aside.groups[strict])
        lines.append(f"of the {strict.sum()} that the device's own settings find: {percent(share)}")
    return lines


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command."""
    options = parser().parse_args(arguments)
    began = time.monotonic()
    classifier = Classifier(options.manifest)
    manifest = classifier.manifest
    model = load_run(options.run, options.weights)[0] if options.run else None
    sets: dict[str, Crops] = {}
    for option, read in (("folder", readers.read_folder), ("ravdess", readers.read_ravdess)):
        for name, path in named(getattr(options, option), f"--{option}").items():
            sets[name] = read(Path(path), manifest.input.size, manifest.input.margin)
    if not sets:
        names = set() if options.fold == "none" else {"kdef"}
        _, sets = load(names, options.fold, options.cache)

    classes = tuple(options.classes.split(","))
    found, figures, faces, summary = {}, {}, [], {}
    for name, crops in sets.items():
        probabilities = {}
        probabilities["int8"], sure = classify(classifier, crops)
        if name != "ferplus":  # holds hands and drawings that Haar never frames
            faces.append(sure)
        if model is not None:
            logits = predict(
                model, device_crops(crops, manifest.input.size), mirrored=manifest.input.mirrored
            )
            probabilities["float"] = softmax(logits, manifest.temperature)
        seen = Predictions(crops.labels, crops.people, probabilities).of(classes)
        for title, part in titled(name, seen).items():
            lines, scores = report(title, part)
            figures[title] = {network: score.to_json() for network, score in scores.items()}
            print("\n".join(lines), end="\n\n", flush=True)
            if part is seen:
                found[title] = seen
                for network, score in scores.items():
                    summary[f"{name}_{network}"] = round(score.accuracy.value, 4)
    if options.negatives and faces:
        print(*face_check_lines(
            classifier, np.concatenate(faces), Negatives.read(options.negatives)
        ), sep="\n")  # fmt: skip
    if options.figures:
        draw_all(found, options.figures)
    if options.json:
        options.json.write_text(json.dumps(figures, indent=1) + "\n")
    minutes = (time.monotonic() - began) / 60
    append(
        evaluation_row(
            manifest.name,
            options.fold,
            minutes,
            summary,
            command_line("evaluate", arguments),
            options.note,
        ),
        options.log,
    )


if __name__ == "__main__":
    main()
