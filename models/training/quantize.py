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
import numpy.typing as npt
import tensorflow as tf

from edge_fea.emotions import LABELS
from edge_fea.vision.manifest import (
    FaceCheck,
    Figure,
    Manifest,
    NetworkInput,
    NetworkOutputs,
    SelfCheck,
    Training,
)
from models.training.augment import Strength, augment
from models.training.convert import Network, to_int8, write
from models.training.data import REPOSITORY, Crops
from models.training.evaluate import PAPER_FIVE, Score, score
from models.training.metrics import fit_temperature, sigmoid, softmax
from models.training.negatives import Negatives
from models.training.network import multiply_accumulates
from models.training.train import device_crops, load, load_run

TERMS = "research, non-commercial: the terms of the data that the weights were learnt from"
FALSE_REJECT = 0.005
TOLERANCE = 0.05
SETS = {
    "ferplus": "FER+ valid, majority label",
    "lfw": "LFW expressions, people held out",
    "frontal": "KDEF frontal, people held out",
    "half": "KDEF half profile, people held out",
}
SOURCES = {
    "ferplus": "FER2013 with FER+ votes, train",
    "lfw": "LFW press photographs with students' labels",
    "kdef": "KDEF",
}


def calibration_crops(
    train: dict[str, Crops], negatives: Negatives, size: int, count: int, seed: int
) -> np.ndarray:
    """Crops that show the converter the ranges: uint8 (about count, size, size, 1).

    Half as they are, half augmented, so that dark and bright rooms are within the ranges; and a
    fifth more without a face. With faces alone the face check's range would end where faces end,
    and every false box would be cut off to the least likely face.
    """
    rng = np.random.default_rng(seed)
    each = -(-count // (2 * len(train)))
    order = rng.permutation(len(negatives))[: max(1, count // 5)]
    boxes = _plain(negatives.take(order), size)
    plain, altered = [], []
    for crops in train.values():
        chosen = crops.take(rng.permutation(len(crops))[: min(each, len(crops))])
        plain.append(device_crops(chosen, size))
        altered.append(
            np.stack([augment(i, crops.margin, size, rng, Strength()) for i in chosen.images])
        )
    return np.concatenate([*plain, *(part[..., None] for part in altered), boxes])


def check_pattern(size: int, smile: float = 0.5, gape: float = 0.07) -> npt.NDArray[np.uint8]:
    """A round head with two eyes and a mouth, by formula; nobody's face. For the self-check.

    ``smile`` bends the mouth (below 0 its corners hang), ``gape`` is half its height.
    """
    rows, columns = (np.mgrid[:size, :size] / (size - 1) - 0.5) * 2

    def blob(x: float, y: float, wide: float, high: float) -> npt.NDArray[np.float64]:
        return np.asarray(np.exp(-(((columns - x) / wide) ** 2) - ((rows - y) / high) ** 2))

    head = 1 / (1 + np.exp(12 * (columns**2 / 0.62 + rows**2 / 0.95 - 1)))
    eyes = blob(-0.32, -0.22, 0.14, 0.08) + blob(0.32, -0.22, 0.14, 0.08)
    brows = blob(-0.33, -0.42, 0.2, 0.05) + blob(0.33, -0.42, 0.2, 0.05)
    mouth = np.exp(-(((rows - 0.52 + smile * columns**2) / gape) ** 2)) * blob(0, 0.5, 0.34, 1.0)
    values = 50 + 130 * head - 100 * eyes - 60 * brows - 85 * mouth + 15 * columns
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)


def steadiest_pattern(network: Network, size: int, temperature: float) -> npt.NDArray[np.uint8]:
    """The check pattern of whose expression the network is surest.

    Runtimes round differently, by a unit or two of int8: where two labels are close to each other
    that moves the probabilities by several hundredths, and a sound machine might fail the check.
    """
    mouths = [(smile, gape) for smile in (-1.0, 0.0, 0.5, 1.0, 1.5) for gape in (0.05, 0.1, 0.2)]
    patterns = np.stack([check_pattern(size, smile, gape) for smile, gape in mouths])
    sure = softmax(network.run(patterns[..., None]).logits, temperature).max(axis=1)
    return np.asarray(patterns[int(sure.argmax())], np.uint8)


def face_threshold(
    faces: npt.NDArray[np.float64], false_boxes: npt.NDArray[np.float64]
) -> FaceCheck:
    """The threshold that refuses 0.5 % of true faces, chosen on every other one of them.

    The rates are of the other half, which the choice has not seen. Both arguments are P(face).
    """
    chosen, measured = faces[::2], faces[1::2]
    threshold = float(np.quantile(chosen, FALSE_REJECT, method="lower"))
    return FaceCheck(
        threshold=threshold,
        false_accept=float((false_boxes >= threshold).mean()),
        false_reject=float((measured < threshold).mean()),
        false_boxes=len(false_boxes),
        true_faces=len(measured),
    )


def figures_of(result: Score, what: str) -> list[Figure]:
    """A score as lines of the manifest."""
    return [
        Figure(
            data=what, measure="accuracy", n=result.n, value=round(result.accuracy.value, 4),
            low=round(result.accuracy.low, 4), high=round(result.accuracy.high, 4),
        ),
        Figure(
            data=what, measure="balanced accuracy", n=result.n, value=round(result.balanced, 4)
        ),
        Figure(
            data=what, measure="expected calibration error", n=result.n,
            value=round(result.calibration, 4),
        ),
    ]  # fmt: skip


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
) -> Manifest:
    """Quantize ``model``, measure the int8 file, and write ``name``.tflite and .json to folder.

    ``calibration`` is what calibration_crops gives. ``valid`` and ``negatives`` must not have been
    trained on: temperature, threshold and figures come from them.
    """
    seed = int(run["seed"])
    content = to_int8(model, config, calibration)
    network = Network(content, threads=2)
    outputs = {n: network.run(device_crops(c, config.size)) for n, c in valid.items() if len(c)}
    temperature = fit_temperature([(o.logits, valid[n].labels) for n, o in outputs.items()])

    figures: list[Figure] = []
    for key, output in outputs.items():
        probabilities, crops = softmax(output.logits, temperature), valid[key]
        result = score(key, probabilities, crops.labels, crops.people)
        print("\n".join(result.lines(LABELS)), flush=True)
        figures += figures_of(result, SETS.get(key, key))
        if key == "frontal":
            five = score(key, probabilities, crops.labels, crops.people, PAPER_FIVE)
            figures += figures_of(five, f"{SETS[key]}, the paper's five classes")
    # The device checks what Haar found; FER+ holds hands and drawings that it never would.
    found = [name for name in outputs if name != "ferplus"] or list(outputs)
    faces = sigmoid(np.concatenate([outputs[name].face for name in found]))
    # What was drawn by formula teaches the head; the figures are of real rooms and films.
    real = np.asarray([not g.startswith(("emblem-", "texture-")) for g in negatives.groups])
    negatives = negatives.take(real) if real.any() else negatives
    false = sigmoid(network.run(_plain(negatives, config.size)).face)
    check = face_threshold(faces, false[negatives.strict] if negatives.strict.any() else false)
    loose = float((false < check.threshold).mean())
    figures.append(
        Figure(
            data="Haar's boxes without a face, 1 neighbour and more, works held out",
            measure="share rejected",
            value=round(loose, 4),
            n=len(false),
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
        input=NetworkInput(size=config.size, margin=0.0),
        outputs=NetworkOutputs(**places),
        temperature=round(temperature, 4),
        face_check=check,
        parameters=int(model.count_params()),
        multiply_accumulates=multiply_accumulates(model),
        figures=figures,
        training=Training(
            data=[SOURCES.get(source, source) for source in sources],
            command=f"python -m models.training.train --preset {run['preset']} "
            f"--fold {run['fold']} --seed {seed} --out RUNS",
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


def _plain(negatives: Negatives, size: int) -> np.ndarray:
    count = len(negatives)
    crops = Crops(
        negatives.images, np.zeros((count, len(LABELS)), np.float32), negatives.groups,
        negatives.groups, negatives.margin,
    )  # fmt: skip
    return device_crops(crops, size)


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
        "input) and NAME.json (the manifest), measured on the held-out data.",
    )
    parser.add_argument("--run", type=Path, required=True, help="a stage's folder, from train")
    parser.add_argument(
        "--weights", default="last.weights.h5", help="with-face.weights.h5 after face_head"
    )
    parser.add_argument("--negatives", type=Path, required=True, help="from negatives")
    parser.add_argument("--cache", type=Path, required=True, help="the cache that train used")
    parser.add_argument("--name", default="cbam6-148-int8")
    parser.add_argument("--to", type=Path, default=REPOSITORY / "models")
    parser.add_argument("--calibrate", type=int, default=300, help="crops for calibration")
    options = parser.parse_args(arguments)
    cv2.setNumThreads(1)
    model, config, run = load_run(options.run, options.weights)
    train, valid = load({"kdef", "ferplus", "lfw"}, run["fold"], options.cache)
    negatives = Negatives.read(options.negatives)
    aside = negatives.held_out()
    calibration = calibration_crops(
        train, negatives.take(~aside), config.size, options.calibrate, int(run["seed"])
    )
    manifest = make(
        model, config, run, list(train), calibration, valid, negatives.take(aside),
        options.name, options.to,
    )  # fmt: skip
    print(f"{manifest.file}: temperature {manifest.temperature}, face check {manifest.face_check}")


if __name__ == "__main__":
    main()
