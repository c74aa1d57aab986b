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
from models.training import arguments as given
from models.training.data import Crops
from models.training.experiments import LOG, append, command_line, evaluation_row
from models.training.figures import draw_all
from models.training.metrics import share_interval, softmax
from models.training.negatives import Negatives
from models.training.scores import PAPER_FIVE, Predictions, titled
from models.training.sources import READERS, device_crops, load
from models.training.tables import percent, report
from models.training.train import load_run, predict

DESCRIPTION = """
Accuracy, precision, recall, AUC, calibration and confusion of a network, through the device's own
classifier: on FER+ valid, the held-out LFW people and, where the network's manifest says that a
fold of KDEF was left out, on that fold; or on any folder of labelled pictures or RAVDESS films.
95 % intervals redraw whole people. With --run the float network stands beside the int8 one, with
the temperature that was fitted for int8.

Examples:
  python -m models.training.evaluate --manifest RUNS/cv/fold0/fold-int8.json \\
      --run RUNS/cv/fold0/finetune-80 --cache RUNS/cache --figures RUNS/figures
  python -m models.training.evaluate --manifest models/cbam6-80-int8.json \\
      --folder wards=/data/wards --classes angry,disgust,fear,happy,neutral

It prints Markdown; --figures adds plots, --json the same figures for programs. Only faces that the
device's search finds are scored; how many that are of all is printed first.
"""


def parser() -> argparse.ArgumentParser:
    """The command line."""
    new = argparse.ArgumentParser(
        prog="python -m models.training.evaluate",
        description=DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    new.add_argument("--manifest", type=given.file, required=True, help="of the int8 network")
    new.add_argument(
        "--run", type=given.folder, help="its stage's folder, from train: for the float one"
    )
    new.add_argument(
        "--weights", default="with-face.weights.h5", help="in RUN (default: %(default)s)"
    )
    new.add_argument("--cache", type=given.outside, help="folder outside the repository for crops")
    for name in READERS:
        new.add_argument(
            f"--{name}", action="append", default=[], metavar="NAME=PATH", type=given.named_folder
        )
    new.add_argument(
        "--classes", default=",".join(LABELS), type=given.classes,
        help=f"score on these only, such as {','.join(PAPER_FIVE)} (the paper's)",
    )  # fmt: skip
    new.add_argument(
        "--negatives", type=given.file, help="from negatives: measures the face check too"
    )
    new.add_argument("--figures", type=Path, help="folder for plots")
    new.add_argument("--json", type=Path, help="write the figures here too")
    new.add_argument(
        "--log", type=Path,
        help=f"the log (default: {LOG.name} of the repository; none for one's own pictures)",
    )  # fmt: skip
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
    classifier: Classifier,
    faces: npt.NDArray[np.float64],
    people: npt.NDArray[np.str_],
    negatives: Negatives,
) -> list[str]:
    """What the face check does to true faces, P(face) (n,) of ``people``, and to false boxes."""
    check = classifier.manifest.face_check
    if check is None:
        return []
    aside = negatives.to_measure(classifier.manifest.training.fold)
    _, false = classify(classifier, aside.as_crops())
    passed = share_interval(false >= check.threshold, aside.groups)
    refused = share_interval(faces < check.threshold, people)
    works = len(set(aside.groups.tolist()))
    lines = [
        f"Face check at P(face) >= {check.threshold:.3f}: refuses {percent(refused)} of "
        f"{len(faces)} true faces (who took part in choosing it), lets "
        f"through {percent(passed)} of {len(false)} false boxes from {works} works"
    ]
    strict = aside.strict
    if strict.any():
        share = share_interval((false >= check.threshold)[strict], aside.groups[strict])
        lines.append(f"of the {strict.sum()} that the device's own settings find: {percent(share)}")
    return lines


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command."""
    command = parser()
    options = command.parse_args(arguments)
    began = time.monotonic()
    sets: dict[str, Crops] = {}
    with given.refusing(command):
        classifier = Classifier(options.manifest)
        manifest = classifier.manifest
        model = load_run(options.run, options.weights)[0] if options.run else None
        for kind, read in READERS.items():
            for name, path in getattr(options, kind):
                sets[name] = read(path, manifest.input.size, manifest.input.margin)
        own = bool(sets)
        if not own:
            # Of KDEF only the people whom this network has not seen.
            fold = manifest.training.fold
            _, sets = load(set() if fold == "none" else {"kdef"}, fold, options.cache)

    found, figures, faces, people, summary = {}, {}, [], [], {}
    for name, crops in sets.items():
        probabilities = {}
        probabilities["int8"], sure = classify(classifier, crops)
        if name != "ferplus":  # holds hands and drawings that Haar never frames
            faces.append(sure)
            people.append(crops.people)
        if model is not None:
            logits = predict(
                model, device_crops(crops, manifest.input.size), mirrored=manifest.input.mirrored
            )
            probabilities["float"] = softmax(logits, manifest.temperature)
        every = Predictions(crops.labels, crops.people, probabilities, groups=crops.groups)
        seen = every.of(options.classes)
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
            classifier, np.concatenate(faces), np.concatenate(people),
            Negatives.read(options.negatives),
        ), sep="\n")  # fmt: skip
    if options.figures:
        draw_all(found, options.figures)
    if options.json:
        options.json.write_text(json.dumps(figures, indent=1) + "\n")
    # Whose pictures somebody else has, and how they did, is not for the project's log.
    log = options.log or (None if own else LOG)
    if log is not None:
        row = evaluation_row(
            manifest.name,
            manifest.training.fold,
            (time.monotonic() - began) / 60,
            summary,
            command_line("evaluate", arguments),
            options.note,
        )
        append(row, log)


if __name__ == "__main__":
    main()
