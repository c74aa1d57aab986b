"""Train the face check: ``python -m models.training.face_head --help``.

The second head tells faces from Haar's false boxes. It is trained on the pooled features of the
finished network, which stays as it is: the seven classes come out exactly as without it.
"""

import argparse
import os
from collections.abc import Sequence

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import cv2
import keras
import numpy as np
import numpy.typing as npt

from models.training import arguments as given
from models.training.augment import Strength, augment
from models.training.data import Crops, as_input
from models.training.negatives import Negatives
from models.training.network import FACE_LAYERS, normalise
from models.training.sources import of_run
from models.training.train import load_run

Features = npt.NDArray[np.float32]


def features_of(
    model: keras.Model, images: npt.NDArray[np.uint8], margin: float, count: int, seed: int
) -> Features:
    """Pooled features, float32 (count, c), of augmented crops drawn evenly from ``images``."""
    trunk = keras.Model(model.input, model.get_layer("pooled").output)
    size, channels = int(model.input.shape[1]), int(model.input.shape[3])
    rng = np.random.default_rng([seed, count])
    order = rng.permutation(np.resize(np.arange(len(images)), count))
    parts = []
    for first in range(0, count, 32):
        crops = [
            augment(images[i], margin, size, rng, Strength()) for i in order[first : first + 32]
        ]
        batch = as_input(np.stack(crops), channels)
        parts.append(trunk(normalise(batch), training=False).numpy())
    return np.concatenate(parts)


def train_head(
    model: keras.Model,
    faces: Sequence[Crops],
    negatives: Negatives,
    count: int,
    seed: int,
    steps: int = 1300,
) -> float:
    """Train the face layers of ``model`` in place; the accuracy on a tenth kept aside.

    ``count`` augmented crops are drawn from the faces, in equal parts from each source, and as
    many from the negatives; the head then takes ``steps`` steps of 128.
    """
    each = -(-count // len(faces))
    true = [features_of(model, f.images, f.margin, each, seed) for f in faces]
    false = features_of(model, negatives.images, negatives.margin, count, seed)
    x = np.concatenate([*true, false])
    y = np.concatenate([np.ones(each * len(faces)), np.zeros(count)]).astype(np.float32)
    order = np.random.default_rng(seed).permutation(len(x))
    x, y = x[order], y[order]

    pooled = keras.Input(x.shape[1:])
    hidden, last = (model.get_layer(name) for name in FACE_LAYERS)
    head = keras.Model(pooled, last(hidden(pooled)))
    # The features' scale is folded into the first layer's start: no extra operation on the device.
    hidden.kernel.assign(hidden.kernel / (x.std(axis=0, keepdims=True).T + 1e-3))
    aside = len(x) // 10
    epochs = -(-steps // -(-(len(x) - aside) // 128))
    head.compile(
        keras.optimizers.AdamW(
            keras.optimizers.schedules.CosineDecay(2e-3, steps), weight_decay=1e-3
        ),
        keras.losses.BinaryCrossentropy(from_logits=True),
    )
    head.fit(x[aside:], y[aside:], batch_size=128, epochs=epochs, verbose=0)
    found = head.predict(x[:aside], verbose=0)[:, 0] > 0
    return float((found == (y[:aside] > 0.5)).mean())


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(
        prog="python -m models.training.face_head", description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    parser.add_argument(
        "--run", type=given.folder, required=True, help="a stage's folder, from train"
    )
    parser.add_argument(
        "--weights", default="last.weights.h5", help="or best.weights.h5, the best by validation"
    )
    parser.add_argument("--negatives", type=given.file, required=True, help="from negatives")
    parser.add_argument(
        "--cache", type=given.outside, required=True, help="the cache that train used"
    )
    parser.add_argument("--count", type=int, default=3000, help="augmented crops of each kind")
    parser.add_argument("--steps", type=int, default=1300, help="of 128 crops (default: 1300)")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args(arguments)
    cv2.setNumThreads(1)
    keras.utils.set_random_seed(options.seed)
    with given.refusing(parser):
        model, _, run = load_run(options.run, options.weights)
        train, _ = of_run(run, options.cache)
        negatives = Negatives.read(options.negatives)
    negatives = negatives.take(~negatives.held_out(run["fold"]))
    right = train_head(
        model, list(train.values()), negatives, options.count, options.seed, options.steps
    )
    model.save_weights(options.run / "with-face.weights.h5")
    print(f"face head: {right:.2%} right on augmented crops kept aside")


if __name__ == "__main__":
    main()
