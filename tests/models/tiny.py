"""A network, a stage and pictures small enough for tests."""

import numpy as np

from edge_fea.emotions import LABELS
from models.training.augment import Strength
from models.training.data import Crops, collect, one_hot
from models.training.negatives import Negatives
from models.training.network import NetworkConfig
from models.training.presets import Stage

SIZE = 32
TINY = NetworkConfig(
    size=SIZE, convolutions=2, widths=(8, 12), reduction=4, dense=16, dropout=0.1, face_hidden=8
)
STAGE = Stage(
    "tiny",
    SIZE,
    120,
    {"drawn": 1.0},
    batch=16,
    rate=1e-2,
    warmup=5,
    ema=0.9,
    strength=Strength(coarse=0.0, occlusion=0.1, dark=0.05),
    validate_every=60,
)


def drawn_faces(count: int, seed: int) -> Crops:
    """Seven kinds of pattern in place of seven expressions: stripes of seven widths."""
    rng = np.random.default_rng(seed)
    rows = np.mgrid[:40, :40][0]
    images, targets = [], []
    for number in range(count):
        period = 3.0 * 1.4 ** (number % 7)
        wave = np.sin(2 * np.pi * rows / period + rng.uniform(0, 6))
        noise = rng.normal(0, 12, wave.shape)
        images.append(np.clip(128 + 70 * wave + noise, 0, 255).astype(np.uint8))
        targets.append(one_hot(LABELS[number % 7]))
    people = [f"{'FM'[n % 2]}{n % 30:02d}" for n in range(count)]
    return collect(images, targets, people, margin=0.125)


def drawn_walls(count: int) -> Negatives:
    rng = np.random.default_rng(5)
    images = rng.integers(0, 256, (count, 1, 1)) + rng.normal(0, 4, (count, 40, 40))
    groups = np.asarray([f"wall-{n}" for n in range(count)])
    clipped = np.clip(images, 0, 255).astype(np.uint8)
    return Negatives(clipped, groups, np.ones(count, bool), 0.125)
