"""Make the int8 file and its manifest: ``python -m models.training.quantize --help``."""

import argparse
import base64
import hashlib
import os
import subprocess
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import cv2
import keras
import numpy as np
import tensorflow as tf

from edge_fea.emotions import LABELS
from edge_fea.vision.manifest import (
    Figure,
    Manifest,
    NetworkInput,
    NetworkOutputs,
    SelfCheck,
    Training,
)
from models.training import arguments as given
from models.training.convert import Network, to_int8, write
from models.training.data import REPOSITORY, Crops
from models.training.experiments import portable
from models.training.face_threshold import face_check
from models.training.folds import CrossValidation
from models.training.metrics import fit_temperature, sigmoid, softmax
from models.training.negatives import Negatives
from models.training.network import multiply_accumulates
from models.training.pattern import steadiest_pattern
from models.training.scores import Predictions, titled
from models.training.sources import device_crops, of_run
from models.training.tables import figures_of, report
from models.training.train import load_run

TERMS = "research, non-commercial: the terms of the data that the weights were learnt from"
TOLERANCE = 0.05
SOURCES = {
    "ferplus": "FER2013 with FER+ votes, train",
    "lfw": "LFW press photographs with students' labels",
    "kdef": "KDEF",
}


def calibration_crops(
    train: dict[str, Crops],
    negatives: Negatives | None,
    size: int,
    count: int,
    seed: int,
    channels: int = 1,
) -> np.ndarray:
    """Crops that show the converter the ranges: uint8 (about count, size, size, channels).

    Plain crops, equally many from each source: with half of them augmented for dark and bright
    rooms, ranges grew, steps grew coarser, and int8 and float named different labels more often,
    on augmented crops too. A tenth more show no face: with faces
    alone the face check's range would end where faces end, and every false box would be cut off to
    the least likely face. A network whose face check nobody reads needs no ``negatives``.
    """
    rng = np.random.default_rng(seed)
    each = -(-count // len(train))
    found = []
    for crops in train.values():
        chosen = crops.take(rng.permutation(len(crops))[:each])
        found.append(device_crops(chosen, size, channels))
    if negatives is not None:
        chosen = negatives.take(rng.permutation(len(negatives))[: max(1, count // 10)])
        found.append(device_crops(chosen.as_crops(), size, channels))
    return np.concatenate(found)


def make(
    model: keras.Model,
    config: Any,
    run: dict[str, Any],
    sources: Sequence[str],
    calibration: np.ndarray,
    valid: dict[str, Crops],
    negatives: Negatives,
    name: str,
    folder: Path,
    crossvalidated: CrossValidation | None = None,
    mirrored: bool = False,
) -> Manifest:
    """Quantize ``model``, measure the int8 file, and write ``name``.tflite and .json to folder.

    ``calibration`` is what calibration_crops gives. ``valid`` and ``negatives`` must not have been
    trained on: temperature, threshold and figures come from them. A network that was trained on
    everybody has no KDEF people left to be measured on: its figures for KDEF, and KDEF's part in
    temperature and threshold, are those of ``crossvalidated``, the networks made alike on four
    fifths each. ``mirrored`` goes into the manifest, and all figures are of reading so.
    """
    seed = int(run["seed"])
    content = to_int8(model, config, calibration)
    network = Network(content, threads=2, mirrored=mirrored)
    valid = {name: crops for name, crops in valid.items() if len(crops)}
    if not valid:
        raise ValueError("nobody is held out: a temperature must be chosen on what was not learnt")
    outputs = {n: network.run(device_crops(c, config.size)) for n, c in valid.items()}
    held_out = [(o.logits, valid[n].labels) for n, o in outputs.items()]
    if crossvalidated is not None:
        held_out += crossvalidated.kdef_logits()
    temperature = fit_temperature(held_out)

    figures: list[Figure] = []
    for key, output in outputs.items():
        probabilities = {"int8": softmax(output.logits, temperature)}
        found = Predictions(
            valid[key].labels, valid[key].people, probabilities, groups=valid[key].groups
        )
        for title, part in titled(key, found).items():
            lines, scores = report(title, part)
            print("\n".join(lines), end="\n\n", flush=True)
            figures += figures_of(scores["int8"], title)
    if crossvalidated is not None:
        figures += crossvalidated.figures()
    # The device checks what Haar found; FER+ holds hands and drawings that it never would.
    found = [name for name in outputs if name != "ferplus"] or list(outputs)
    faces = sigmoid(np.concatenate([outputs[name].face for name in found]))
    people = np.concatenate([valid[name].people for name in found])
    if crossvalidated is not None:
        more, names = crossvalidated.kdef_faces()
        faces, people = np.concatenate([faces, more]), np.concatenate([people, names])
    false = sigmoid(network.run(device_crops(negatives.as_crops(), config.size)).face)
    check = face_check(faces, people, false)
    if negatives.strict.any():
        sure = false[negatives.strict] < check.threshold
        figures.append(
            Figure(
                data="boxes without a face that the device's own search finds, works held out",
                measure="share rejected",
                value=round(float(sure.mean()), 4),
                n=len(sure),
            )
        )

    pattern = steadiest_pattern(network, config.size, temperature)
    expected = softmax(network.run(pattern[None, ..., None]).logits, temperature)[0]
    places = network.places
    manifest = Manifest(
        name=name,
        file=f"{name}.tflite",
        sha256=hashlib.sha256(content).hexdigest(),
        labels=LABELS,
        input=NetworkInput(size=config.size, margin=0.0, mirrored=mirrored),
        outputs=NetworkOutputs(**places),
        temperature=round(temperature, 4),
        face_check=check,
        parameters=int(model.count_params()),
        multiply_accumulates=multiply_accumulates(model),
        figures=figures,
        training=Training(
            data=[SOURCES.get(source, f"own pictures: {source}") for source in sources],
            command=portable(run["command"]),
            fold=run["fold"],
            seed=seed,
            commit=_commit(),
            framework=f"tensorflow {tf.__version__}, keras {keras.__version__}",
        ),
        self_check=SelfCheck(
            input=base64.b64encode(zlib.compress(pattern.tobytes(), 9)).decode(),
            probabilities=[round(float(p), 5) for p in expected],
            tolerance=TOLERANCE,
        ),
        terms=TERMS,
    )
    folder.mkdir(parents=True, exist_ok=True)
    write(content, folder / f"{name}.tflite")
    write(manifest.model_dump_json(indent=1).encode() + b"\n", folder / f"{name}.json")
    return Manifest.read(folder / f"{name}.json")


def _commit() -> str:
    found = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], cwd=REPOSITORY, capture_output=True, text=True
    )
    return found.stdout.strip() if found.returncode == 0 else "before the first commit"


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(
        prog="python -m models.training.quantize",
        description="Turn a trained network with its face head into NAME.tflite (int8, uint8 "
        "input) and NAME.json (the manifest), measured on what the run has not learnt from.",
    )
    parser.add_argument(
        "--run", type=given.folder, required=True, help="a stage's folder, from train"
    )
    parser.add_argument(
        "--weights", default="last.weights.h5", help="with-face.weights.h5 after face_head"
    )
    parser.add_argument("--negatives", type=given.file, required=True, help="from negatives")
    parser.add_argument(
        "--cache", type=given.outside, required=True, help="the cache that train used"
    )
    parser.add_argument("--name", required=True, help="of the two files to write")
    parser.add_argument(
        "--to", type=Path, default=REPOSITORY / "models", help="(default: %(default)s)"
    )
    parser.add_argument(
        "--mirrored", action=argparse.BooleanOptionalAction, default=True,
        help="the device reads each crop mirrored too: twice the time (default: yes)",
    )  # fmt: skip
    parser.add_argument("--calibrate", type=int, default=1000, help="crops for calibration")
    parser.add_argument(
        "--cross-validated", type=given.folder, metavar="FOLDER",
        help="the --out of crossvalidate, whose KDEF figures a network of --fold none carries",
    )  # fmt: skip
    options = parser.parse_args(arguments)
    cv2.setNumThreads(1)
    with given.refusing(parser):
        model, config, run = load_run(options.run, options.weights)
        train, valid = of_run(run, options.cache)
        negatives = Negatives.read(options.negatives)
    learnt = negatives.take(~negatives.held_out(run["fold"]))
    calibration = calibration_crops(train, learnt, config.size, options.calibrate, int(run["seed"]))
    manifest = make(
        model, config, run, list(train), calibration, valid,
        negatives.to_measure(run["fold"]),
        options.name, options.to,
        CrossValidation(options.cross_validated) if options.cross_validated else None,
        options.mirrored,
    )  # fmt: skip
    print(f"{manifest.file}: temperature {manifest.temperature}, face check {manifest.face_check}")


if __name__ == "__main__":
    main()
